package remote

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net"
	"os"
	"sync"

	"github.com/virga-cloud/virga/api"
)

// tunnelFD is where the command leaves its end of the tunnel.
const tunnelFD = 3

// Main is the program behind the command's connection to another machine:
// args are HOST:PORT and the file of certificates or "". It first answers with
// a line, empty when it is connected and an api.Error in JSON when it is not,
// and then carries bytes until either side ends. It returns the exit status.
func Main(args []string) int {
	f := os.NewFile(tunnelFD, "tunnel")
	near, err := net.FileConn(f)
	_ = f.Close()
	if err != nil || len(args) != 2 {
		fmt.Fprintln(os.Stderr, "virgad tunnel: it is started by virga --host")
		return 2
	}
	defer near.Close()
	far, err := Dial(context.Background(), args[0], args[1])
	if err != nil {
		answer(near, err)
		return 1
	}
	defer far.Close()
	answer(near, nil)
	carry(near, far)
	return 0
}

func answer(w io.Writer, err error) {
	var line []byte
	if err != nil {
		e, ok := errors.AsType[*api.Error](err)
		if !ok {
			e = api.Errorf(api.CodeUnavailable, "%v", err)
		}
		line, _ = json.Marshal(e) // plain strings only
	}
	_, _ = w.Write(append(bytes.TrimSpace(line), '\n'))
}

// halfCloser can end its output and still be read.
type halfCloser interface{ CloseWrite() error }

// carry copies both ways until both have ended.
func carry(a, b net.Conn) {
	var both sync.WaitGroup
	for _, way := range [][2]net.Conn{{a, b}, {b, a}} {
		both.Go(func() {
			_, err := io.Copy(way[1], way[0])
			if h, ok := way[1].(halfCloser); ok && err == nil {
				_ = h.CloseWrite()
				return
			}
			_ = a.Close()
			_ = b.Close()
		})
	}
	both.Wait()
}
