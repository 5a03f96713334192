package main

import (
	"context"
	"errors"
	"fmt"
	"net"
	"net/http"
	"os"
	"os/signal"
	"strings"
	"syscall"
	"time"
)

const defaultAddr = ":8080"

// serve answers HTTP requests until it gets SIGTERM or SIGINT. It writes one
// line to its log for each.
func serve(args []string) error {
	addr := defaultAddr
	if len(args) > 0 {
		addr = args[0]
	}
	if !strings.Contains(addr, ":") {
		addr = ":" + addr
	}
	ctx, stop := signal.NotifyContext(context.Background(), syscall.SIGTERM, syscall.SIGINT)
	defer stop()
	l, err := net.Listen("tcp", addr)
	if err != nil {
		return err
	}
	fmt.Printf("listening on %s\n", l.Addr())
	lasting := streams{ctx}
	pages := http.NewServeMux()
	pages.HandleFunc("/", answer)
	pages.HandleFunc("/events", lasting.events)
	pages.HandleFunc("/echo", lasting.echo)
	s := &http.Server{Handler: pages, ReadHeaderTimeout: 10 * time.Second}
	ended := make(chan struct{})
	go func() {
		defer close(ended)
		<-ctx.Done()
		end, cancel := context.WithTimeout(context.Background(), 5*time.Second)
		defer cancel()
		_ = s.Shutdown(end)
	}()
	if err := s.Serve(l); !errors.Is(err, http.ErrServerClosed) {
		return err
	}
	<-ended
	fmt.Println("stopped")
	return nil
}

func answer(w http.ResponseWriter, r *http.Request) {
	fmt.Printf("%s %s from %s\n", r.Method, r.URL.Path, r.RemoteAddr)
	w.Header().Set("Content-Type", "text/plain; charset=utf-8")
	switch r.URL.Path {
	case "/health":
		fmt.Fprintln(w, "ok")
	case "/env":
		fmt.Fprintln(w, strings.Join(os.Environ(), "\n"))
	default:
		fmt.Fprintf(w, "Hello from virga!\nhost name: %s\ninstance:  %s\ntime:      %s\n",
			hostname(), instance(), time.Now().UTC().Format(time.RFC3339Nano))
	}
}
