package store

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"net/url"
	"sync"
	"time"

	bolt "go.etcd.io/bbolt"
	"go.etcd.io/etcd/client/pkg/v3/types"
	"go.etcd.io/etcd/server/v3/config"
	"go.etcd.io/etcd/server/v3/etcdserver"
	"go.etcd.io/etcd/server/v3/features"
	"go.etcd.io/etcd/server/v3/storage/wal"

	"github.com/virga-cloud/virga/api"
)

const (
	// Ticks of a single member: nobody competes, so the first election is
	// over as soon as the timeout has passed, and little is done while idle.
	tickMs        = 50
	electionTicks = 2

	startTimeout = 60 * time.Second
	stopTimeout  = 10 * time.Second

	quotaBytes   = 4 << 30
	segmentBytes = 16 << 20 // of the write-ahead log; one more is kept ready
	defragMiB    = 32       // rewrite the file at open when that much of it is free
	// Entries kept in memory after a snapshot; only other members need them.
	snapshotEvery, keepEntries = 4000, 200
)

// etcd is a backend of one etcd member in this process. It listens nowhere:
// nobody but us speaks to it.
type etcd struct {
	dir     *dataDir
	server  *etcdserver.EtcdServer
	reserve reserve

	// broken ends when etcd cannot go on; its cause says why.
	broken context.Context
	fault  context.CancelCauseFunc

	compactor
}

// Open opens the store in dir, and makes it when there is none. A first start
// that was killed at any moment is begun anew. It fails with Conflict when
// another daemon has it open, Invalid when dir holds something else,
// Unavailable when it is damaged and InsufficientCapacity when the disk is full.
func Open(ctx context.Context, dir string, log *slog.Logger) (*Store, error) {
	b, err := openEtcd(ctx, dir, log)
	if err != nil {
		return nil, err
	}
	s, err := open(ctx, b, log)
	if err != nil {
		return nil, errors.Join(err, b.close())
	}
	return s, nil
}

func openEtcd(ctx context.Context, path string, log *slog.Logger) (*etcd, error) {
	dir, err := openDir(path)
	if err != nil {
		return nil, err
	}
	e := &etcd{dir: dir, reserve: reserve{dir: dir, held: dir.has(reserveFile)}}
	e.broken, e.fault = context.WithCancelCause(context.Background())
	if err := e.start(ctx, log); err != nil {
		e.stop()
		return nil, errors.Join(err, dir.close())
	}
	if err := dir.setState(stateReady); err != nil {
		return nil, errors.Join(err, e.close())
	}
	e.compactor.start(e)
	return e, nil
}

// settingsOnce sets what etcd keeps in variables of its packages.
var settingsOnce sync.Once

// start runs etcd and waits until it answers.
func (e *etcd) start(ctx context.Context, log *slog.Logger) error {
	if free, _, err := e.dir.free(); err == nil && free < roomToStart {
		return e.dir.full(api.FormatBytes(free))
	}
	settingsOnce.Do(func() { wal.SegmentSizeBytes, watchResyncPeriod = segmentBytes, calmResync })
	cfg, err := e.config(log)
	if err != nil {
		return err
	}
	slow, cancel := context.WithTimeout(context.WithoutCancel(ctx), startTimeout)
	defer cancel()
	result := make(chan started, 1)
	go func() { result <- begin(cfg) }()
	select {
	case s := <-result:
		e.server, err = s.server, s.err
	case <-e.broken.Done():
		err = context.Cause(e.broken)
	case <-slow.Done():
		err = errors.New("it does not answer")
	}
	if cause := context.Cause(e.broken); cause != nil {
		err = cause // what etcd said, not what it stumbled over then
	}
	if err != nil {
		return e.unusable(err)
	}
	select {
	case <-e.server.ReadyNotify():
		calm(e.server)
		return nil
	case <-e.broken.Done():
		return e.unusable(context.Cause(e.broken))
	case <-ctx.Done(): // told to end: nothing is wrong with the files
		return ctx.Err()
	case <-slow.Done():
		return e.unusable(errors.New("it does not become ready"))
	}
}

type started struct {
	server *etcdserver.EtcdServer
	err    error
}

// begin starts etcd. It runs on a goroutine of its own, which etcd may end, and
// then never returns.
func begin(cfg config.ServerConfig) (s started) {
	defer func() {
		if r := recover(); r != nil { // the file's format is checked by panics
			s = started{err: fmt.Errorf("its files are damaged: %v", r)}
		}
	}()
	server, err := etcdserver.NewServer(cfg)
	if err != nil {
		return started{err: err}
	}
	server.Start()
	return started{server: server}
}

func (e *etcd) unusable(err error) error {
	return api.Errorf(api.CodeUnavailable, "the store in %s cannot be opened: %v", e.dir.path, err).
		WithHint("restore the directory from a backup, or move it away to begin with an empty store; instances that run go on")
}

func (e *etcd) config(log *slog.Logger) (config.ServerConfig, error) {
	// The address is only a name: nothing listens there.
	self := types.URLs{url.URL{Scheme: "http", Host: "127.0.0.1:1"}}
	const name = "virga"
	peers, err := types.NewURLsMap(name + "=" + self.String())
	if err != nil {
		return config.ServerConfig{}, fmt.Errorf("name the store: %w", err)
	}
	lg := etcdLog(log, func(err error) { e.fault(err) })
	return config.ServerConfig{
		Name: name, ClientURLs: self, PeerURLs: self, InitialPeerURLsMap: peers,
		InitialClusterToken: "virga", NewCluster: true,
		DataDir:       e.dir.path,
		SnapshotCount: snapshotEvery, SnapshotCatchUpEntries: keepEntries,
		MaxSnapFiles: 2, MaxWALFiles: 2,
		BackendFreelistType: bolt.FreelistMapType,
		TickMs:              tickMs, ElectionTicks: electionTicks, InitialElectionTickAdvance: true,
		// The log has every write already; this is the file that it goes to.
		BackendBatchInterval: 500 * time.Millisecond,
		QuotaBackendBytes:    quotaBytes, BootstrapDefragThresholdMegabytes: defragMiB,
		MaxTxnOps: 4 * lateBatch, MaxRequestBytes: 4 << 20,
		WarningApplyDuration: time.Second, WarningUnaryRequestDuration: time.Second,
		StrictReconfigCheck: true, BcryptCost: 4, // of passwords there are none
		CompactHashCheckTime: time.Hour, DowngradeCheckTime: time.Hour,
		V2Deprecation:     config.V2DeprDefault,
		ServerFeatureGate: features.NewDefaultServerFeatureGate(name, lg),
		Metrics:           "basic",
		Logger:            lg,
	}, nil
}

func (e *etcd) close() error {
	e.compactor.stop()
	e.stop()
	return e.dir.close()
}

// stop ends etcd. One that is broken may not be able to end.
func (e *etcd) stop() {
	if e.server == nil {
		return
	}
	stopped := make(chan struct{})
	go func() {
		defer close(stopped)
		e.server.Stop()
	}()
	limit := stopTimeout
	if e.broken.Err() != nil {
		limit = time.Second
	}
	select {
	case <-stopped:
	case <-time.After(limit):
	}
	e.fault(errors.New("the store is closed"))
}
