// Package web is the dashboard: a page of plain ES modules that is embedded in
// the program and asks the API for everything. It promises that
//
//   - nothing is loaded from elsewhere, and nothing has to be built;
//   - what an attacker wrote is text: the content security policy forbids every
//     way to make markup or a script of it;
//   - its files have addresses that change with their content, so a browser
//     keeps them for ever and never mixes two versions;
//   - it takes no path that the API has: what is not the dashboard's goes on to
//     the next handler.
package web
