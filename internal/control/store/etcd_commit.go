package store

import (
	"context"
	"errors"
	"iter"
	"slices"

	pb "go.etcd.io/etcd/api/v3/etcdserverpb"
	etcderrors "go.etcd.io/etcd/server/v3/etcdserver/errors"

	"github.com/virga-cloud/virga/api"
)

func (e *etcd) commit(ctx context.Context, ops ...op) (int64, error) {
	txn := &pb.TxnRequest{}
	for _, o := range ops {
		if o.when != anyRevision {
			txn.Compare = append(txn.Compare, &pb.Compare{
				Key: []byte(o.key), Target: pb.Compare_MOD, Result: pb.Compare_EQUAL,
				TargetUnion: &pb.Compare_ModRevision{ModRevision: o.when},
			})
		}
		txn.Success = append(txn.Success, request(o))
	}
	if err := e.reserve.room(ops); err != nil {
		return 0, err
	}
	ctx, done := e.call(ctx)
	defer done()
	resp, err := e.server.Txn(ctx, txn)
	if err != nil {
		return 0, e.failure(err)
	}
	if !resp.Succeeded {
		return 0, errConflict
	}
	e.compactor.wrote(resp.Header.Revision)
	return resp.Header.Revision, nil
}

func request(o op) *pb.RequestOp {
	if o.value == nil {
		return &pb.RequestOp{Request: &pb.RequestOp_RequestDeleteRange{
			RequestDeleteRange: &pb.DeleteRangeRequest{Key: []byte(o.key)}}}
	}
	return &pb.RequestOp{Request: &pb.RequestOp_RequestPut{
		RequestPut: &pb.PutRequest{Key: []byte(o.key), Value: o.value}}}
}

func (e *etcd) get(ctx context.Context, key string) (entry, bool, error) {
	ctx, done := e.call(ctx)
	defer done()
	resp, err := e.server.Range(ctx, &pb.RangeRequest{Key: []byte(key)})
	if err != nil {
		return entry{}, false, e.failure(err)
	}
	if len(resp.Kvs) == 0 {
		return entry{}, false, nil
	}
	kv := resp.Kvs[0]
	return entry{key, kv.Value, kv.ModRevision}, true, nil
}

// loadPage is how many keys are read at once.
const loadPage = 1000

func (e *etcd) load(ctx context.Context, prefix string) iter.Seq2[entry, error] {
	return func(yield func(entry, error) bool) {
		ctx, done := e.call(ctx)
		defer done()
		from, end := []byte(prefix), []byte(prefix)
		end[len(end)-1]++ // the first key that does not begin with prefix
		for {
			resp, err := e.server.Range(ctx, &pb.RangeRequest{Key: from, RangeEnd: end, Limit: loadPage})
			if err != nil {
				yield(entry{}, e.failure(err))
				return
			}
			for _, kv := range resp.Kvs {
				if !yield(entry{string(kv.Key), kv.Value, kv.ModRevision}, nil) {
					return
				}
			}
			if !resp.More {
				return
			}
			from = append(slices.Clone(resp.Kvs[len(resp.Kvs)-1].Key), 0)
		}
	}
}

// call is a context for one request: it ends with ctx, or when etcd is broken.
func (e *etcd) call(ctx context.Context) (context.Context, func()) {
	ctx, cancel := context.WithCancel(ctx)
	stop := context.AfterFunc(e.broken, cancel)
	return ctx, func() { stop(); cancel() }
}

// failure says what an error of etcd's means to a user.
func (e *etcd) failure(err error) error {
	if cause := context.Cause(e.broken); cause != nil {
		return api.Errorf(api.CodeUnavailable, "the store has stopped: %v", cause).
			WithHint("see that the disk has space and is sound, then restart the daemon; instances that run go on")
	}
	switch {
	case errors.Is(err, etcderrors.ErrRequestTooLarge):
		return api.Errorf(api.CodeInvalid, "the object is too large to be stored")
	case errors.Is(err, etcderrors.ErrNoSpace):
		return api.Errorf(api.CodeUnavailable, "the store has reached its limit of %s", api.FormatBytes(quotaBytes)).
			WithHint("remove objects, then restart the daemon")
	}
	return api.Errorf(api.CodeUnavailable, "the store does not answer: %v", err).WithHint("the disk may be slow or full; try again")
}
