package balancer

import (
	"bufio"
	"encoding/json"
	"errors"
	"log/slog"
	"os"
	"path/filepath"
	"sync"
	"time"

	"github.com/virga-cloud/virga/api"
	"github.com/virga-cloud/virga/internal/proxy"
)

const (
	accessSize  = 16 << 20 // bytes at which a log is rotated
	accessKept  = 3        // rotated logs kept
	accessFlush = time.Second
)

// accessLogs write a line of JSON for each request of the services that ask
// for it, to PROJECT.NAME.log below a directory.
type accessLogs struct {
	dir  string
	log  *slog.Logger
	stop chan struct{}
	done sync.WaitGroup

	mu    sync.Mutex
	files map[string]*accessFile // +checklocks:mu; by service, its pools' names without the port
}

type accessFile struct {
	path string
	file *os.File
	w    *bufio.Writer
	size int64
}

func newAccessLogs(dir string, log *slog.Logger) *accessLogs {
	return &accessLogs{dir: dir, log: log, stop: make(chan struct{}), files: map[string]*accessFile{}}
}

// start writes what is buffered every second, until close.
func (l *accessLogs) start() { l.done.Go(l.flush) }

// add takes the lines of the services that want a log from now on.
func (l *accessLogs) add(services []*api.Service) {
	l.mu.Lock()
	defer l.mu.Unlock()
	for _, s := range services {
		if key := logKey(s); s.Spec.AccessLog && l.files[key] == nil {
			l.files[key] = &accessFile{path: filepath.Join(l.dir, s.Project+"."+s.Name+".log")}
		}
	}
}

// keep closes the logs of all other services.
func (l *accessLogs) keep(services []*api.Service) {
	l.mu.Lock()
	defer l.mu.Unlock()
	wanted := map[string]bool{}
	for _, s := range services {
		wanted[logKey(s)] = s.Spec.AccessLog
	}
	for key, f := range l.files {
		if !wanted[key] {
			l.report(f, f.close())
			delete(l.files, key)
		}
	}
}

func logKey(s *api.Service) string { return s.Name + "." + s.Project }

// line is one request as it is written.
type line struct {
	Time    time.Time `json:"time"`
	Client  string    `json:"client"`
	Method  string    `json:"method"`
	Host    string    `json:"host"`
	Path    string    `json:"path"`
	Status  int       `json:"status"`
	Took    float64   `json:"seconds"`
	Backend string    `json:"instance,omitempty"`
}

// write takes one request note.
func (l *accessLogs) write(a proxy.Access) {
	l.mu.Lock()
	defer l.mu.Unlock()
	f := l.files[serviceOf(a.Pool)]
	if f == nil {
		return
	}
	b, err := json.Marshal(line{a.Time.UTC(), a.Client, a.Method, a.Host, a.Path, a.Status, a.Took.Seconds(), a.Backend})
	if err == nil {
		err = f.write(append(b, '\n'))
	}
	l.report(f, err)
}

// serviceOf is a pool's name without its port.
func serviceOf(pool string) string {
	for i := len(pool) - 1; i >= 0; i-- {
		if pool[i] == ':' {
			return pool[:i]
		}
	}
	return pool
}

// report tells of a log that cannot be written, which fails no request.
func (l *accessLogs) report(f *accessFile, err error) {
	if err != nil {
		l.log.Error("access log not written", "path", f.path, "error", err)
	}
}

func (l *accessLogs) flush() {
	t := time.NewTicker(accessFlush)
	defer t.Stop()
	for {
		select {
		case <-l.stop:
			return
		case <-t.C:
		}
		l.mu.Lock()
		for _, f := range l.files {
			if f.w != nil {
				l.report(f, f.w.Flush())
			}
		}
		l.mu.Unlock()
	}
}

func (l *accessLogs) close() {
	close(l.stop)
	l.done.Wait()
	l.keep(nil)
}

func (f *accessFile) write(b []byte) error {
	if f.file == nil {
		if err := f.open(); err != nil {
			return err
		}
	}
	if f.size+int64(len(b)) > accessSize {
		if err := f.rotate(); err != nil {
			return err
		}
	}
	f.size += int64(len(b))
	_, err := f.w.Write(b)
	return err
}

func (f *accessFile) open() error {
	if err := os.MkdirAll(filepath.Dir(f.path), 0o700); err != nil {
		return err
	}
	file, err := os.OpenFile(f.path, os.O_CREATE|os.O_WRONLY|os.O_APPEND, 0o600)
	if err != nil {
		return err
	}
	info, err := file.Stat()
	if err != nil {
		return errors.Join(err, file.Close())
	}
	f.file, f.w, f.size = file, bufio.NewWriterSize(file, 64<<10), info.Size()
	return nil
}

// rotate moves path to path.1, that to path.2 and so on.
func (f *accessFile) rotate() error {
	if err := f.close(); err != nil {
		return err
	}
	for i := accessKept; i > 0; i-- {
		from := f.path
		if i > 1 {
			from = f.numbered(i - 1)
		}
		if err := os.Rename(from, f.numbered(i)); err != nil && !os.IsNotExist(err) {
			return err
		}
	}
	return f.open()
}

func (f *accessFile) numbered(i int) string { return f.path + "." + string(rune('0'+i)) }

func (f *accessFile) close() error {
	if f.file == nil {
		return nil
	}
	err := errors.Join(f.w.Flush(), f.file.Close())
	f.file, f.w, f.size = nil, nil, 0
	return err
}
