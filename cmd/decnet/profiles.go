package main

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"net"
	"net/http"
	"net/http/pprof"
	"time"
)

// startProfiles serves profiles of the program where an operator asks for them. They
// tell of everything in memory, so that they are for this machine only, on a port
// of their own.
func (a *app) startProfiles(ctx context.Context) error {
	if a.config.DebugListen == "" {
		return nil
	}
	var config net.ListenConfig
	listener, err := config.Listen(ctx, "tcp", a.config.DebugListen)
	if err != nil {
		return fmt.Errorf("listen for profiles: %w", err)
	}
	mux := http.NewServeMux()
	mux.HandleFunc("/debug/pprof/", pprof.Index)
	mux.HandleFunc("/debug/pprof/cmdline", pprof.Cmdline)
	mux.HandleFunc("/debug/pprof/profile", pprof.Profile)
	mux.HandleFunc("/debug/pprof/symbol", pprof.Symbol)
	mux.HandleFunc("/debug/pprof/trace", pprof.Trace)
	server := &http.Server{Handler: mux, ReadHeaderTimeout: 5 * time.Second}
	done := make(chan struct{})
	go func() {
		defer close(done)
		if err := server.Serve(listener); !errors.Is(err, http.ErrServerClosed) {
			a.log.Error("profiles are no longer served", slog.Any("error", err))
		}
	}()
	a.log.Info("serving profiles", slog.String("url", "http://"+listener.Addr().String()+"/debug/pprof/"))
	a.add("profiles", func(context.Context) error {
		err := server.Close() // a profile under way is of no use
		<-done
		return err
	})
	return nil
}

// isLoopback reports whether an address to listen on is one of this machine only.
func isLoopback(address string) bool {
	host, _, err := net.SplitHostPort(address)
	if err != nil {
		return false
	}
	ip := net.ParseIP(host)
	return host == "localhost" || ip != nil && ip.IsLoopback()
}
