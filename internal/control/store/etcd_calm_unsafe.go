package store

import (
	"reflect"
	"time"
	"unsafe"

	"go.etcd.io/etcd/server/v3/etcdserver"
	_ "go.etcd.io/etcd/server/v3/storage/mvcc" // has watchResyncPeriod
)

// Two clocks of etcd's tick as long as it runs, 30 times per second together,
// and find nothing to do here: a member that is alone holds no election once it
// is elected, and nobody watches through etcd. etcd has no settings for them.
const (
	calmTick   = time.Second
	calmResync = time.Minute
)

// watchResyncPeriod is how often etcd looks after watchers that are behind. It
// is read when a server is made.
//
//go:linkname watchResyncPeriod go.etcd.io/etcd/server/v3/storage/mvcc.watchResyncPeriod
var watchResyncPeriod time.Duration

// calm slows the clock of an elected server's elections down; false says that
// this version of etcd keeps it elsewhere, and that it goes on as it was.
func calm(s *etcdserver.EtcdServer) bool {
	raft := reflect.ValueOf(s).Elem().FieldByName("r")
	if !raft.IsValid() || raft.Kind() != reflect.Struct {
		return false
	}
	ticker := raft.FieldByName("ticker")
	if !ticker.IsValid() || ticker.Type() != reflect.TypeFor[*time.Ticker]() || ticker.IsNil() {
		return false
	}
	(*time.Ticker)(unsafe.Pointer(ticker.UnsafePointer())).Reset(calmTick)
	return true
}
