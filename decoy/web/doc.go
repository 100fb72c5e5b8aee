// Package web imitates web servers: nginx, Apache, IIS and those of small
// devices, with a default page, a WordPress, a phpMyAdmin or the settings of a
// router behind them.
//
// It records every request as an event "request" with method, path, headers and
// body; names and passwords of Basic authentication, forms and XML-RPC; uploads
// as "file_upload"; and what is no proper request as "protocol_error". It lets
// nobody in. Which server and which application a host has follows from its
// archetype, system and secret, and is the same for http and https, unless the
// settings say otherwise. Versions are those that the distribution ships;
// headers, their order, error pages and what is refused are those of that
// server. Protocol: RFC 9110 and 9112, by package httptrap.
package web
