package server

import (
	"context"
	"io"
	"net/http"
	"time"

	"github.com/virga-cloud/virga/api"
	"github.com/virga-cloud/virga/internal/control"
)

func (s *Server) volumeCopyRoutes() {
	raw(s, http.MethodPost, "/v1/volumes/{id}/snapshot", "Copy a volume as it is now into a new, read-only one", eventStream, s.snapshotVolume)
	raw(s, http.MethodPost, "/v1/volumes/{id}/restore", "Make the content of a new or an unused volume that of this one", eventStream, s.restoreVolume)
	raw(s, http.MethodPost, "/v1/volumes/import", "Make the content of a new or an unused volume that of a tar", eventStream, s.importVolume)
	raw(s, http.MethodGet, "/v1/volumes/{id}/export", "Write the files of a volume as a tar", tarStream, s.exportVolume)
}

// volumeWork makes the content of a volume; the report it gets shows bytes.
type volumeWork func(ctx context.Context, v *api.Volume, report func(int64)) error

// fillVolume streams the progress of work on a volume. Its last message has the
// volume, or the error.
func (s *Server) fillVolume(r *http.Request, w http.ResponseWriter, action string, do func(ctx context.Context, report func(int64)) (*api.Volume, error)) error {
	ctx, done := s.lasting(r.Context())
	defer done()
	_ = http.NewResponseController(w).EnableFullDuplex() // an import reads its body while it reports
	e := startEvents(w)
	last := time.Now()
	v, err := do(ctx, func(n int64) {
		const rarely = 100 * time.Millisecond
		if now := time.Now(); now.Sub(last) >= rarely {
			last = now
			_ = e.send("", api.Progress{Action: action, Current: n})
		}
	})
	if err != nil {
		_ = e.send("", api.Progress{Action: "failed", Error: errorOf(err)})
		return nil
	}
	_ = e.send("", api.Progress{Action: "done", Volume: v})
	return nil
}

// fill makes the content of a new volume, or of one that is there, while
// nobody can use it. The object of a new one is stored last: until then, a
// crash leaves nothing that has an owner.
func (s *Server) fill(ctx context.Context, v *api.Volume, isNew bool, what string, work volumeWork, report func(int64)) (*api.Volume, error) {
	if isNew {
		if err := s.checkNewVolume(v); err != nil {
			return nil, err
		}
	}
	if isNew {
		kept, err := s.Admission.ReserveDisk(v.ID, "size", v.Size)
		if err != nil {
			return nil, err
		}
		defer kept()
	}
	done, err := s.Volumes.Claim(v.ID, v.Name, what)
	if err != nil {
		return nil, err
	}
	defer done()
	if _, err := s.Store.Volumes.View(v.ID); !isNew && err != nil {
		return nil, err // removed meanwhile
	}
	if err := work(ctx, v, report); err != nil {
		return nil, err
	}
	if isNew {
		if err := s.Store.Volumes.Create(ctx, v); err != nil {
			_, rerr := s.Volumes.Remove(context.WithoutCancel(ctx), v.ID)
			if rerr != nil {
				s.Log.Error("remove what was to be a volume", "volume", v.ID, "err", rerr)
			}
			return nil, err
		}
	}
	return v, nil
}

func (s *Server) newVolume(project, name string, labels map[string]string, size int64, access api.Access) *api.Volume {
	v := &api.Volume{
		Meta: api.Meta{ID: control.NewID(), Name: name, Project: project, Labels: labels, Created: time.Now().UTC()},
		Node: s.NodeName, Size: size, Access: access,
	}
	v.Path = s.Volumes.Path(v.ID)
	return v
}

type snapshotVolume struct {
	Target
	Body api.SnapshotRequest
}

func (s *Server) snapshotVolume(r *http.Request, w http.ResponseWriter, q *snapshotVolume) error {
	of, err := s.volume(q.Target)
	if err != nil {
		return err
	}
	name := q.Body.Name
	if name == "" {
		name = of.Name + "-" + time.Now().UTC().Format("20060102-150405")
	}
	v := s.newVolume(of.Project, name, q.Body.Labels, of.Size, api.AccessReadOnly)
	if err := s.checkNewVolume(v); err != nil {
		return err
	}
	return s.fillVolume(r, w, "copying", func(ctx context.Context, report func(int64)) (*api.Volume, error) {
		v, err := s.fill(ctx, v, true, "made", func(ctx context.Context, v *api.Volume, report func(int64)) error {
			c, err := s.Volumes.Copy(ctx, v, of, report)
			v.Snapshot = &api.Snapshot{Of: of.ID, Name: of.Name, Time: time.Now().UTC(), CopyReport: c}
			return err
		}, report)
		if err == nil {
			s.recordVolume("snapshot", v)
		}
		return v, err
	})
}

type restoreVolume struct {
	Target
	Body api.RestoreRequest
}

func (s *Server) restoreVolume(r *http.Request, w http.ResponseWriter, q *restoreVolume) error {
	from, err := s.volume(q.Target)
	if err != nil {
		return err
	}
	name := q.Body.Volume
	if name == "" && from.Snapshot != nil {
		name = from.Snapshot.Name
	}
	if name == "" {
		return api.Invalid("volume", "%s is no snapshot, so the volume to restore into has to be named", from.Name)
	}
	v, isNew, err := s.target(from.Project, name, max(q.Body.Size, from.Size), q.Body.Size)
	if err != nil {
		return err
	}
	if v.ID == from.ID {
		return api.Invalid("volume", "volume %s cannot be restored from itself", v.Name)
	}
	return s.fillVolume(r, w, "copying", func(ctx context.Context, report func(int64)) (*api.Volume, error) {
		v, err := s.fill(ctx, v, isNew, "restored", func(ctx context.Context, v *api.Volume, report func(int64)) error {
			_, err := s.Volumes.Copy(ctx, v, from, report)
			return err
		}, report)
		if err == nil {
			s.recordVolume("restore", v)
		}
		return v, err
	})
}

// target is the volume of that name to be filled, or a new one of that size.
// asked is the size that the request names.
func (s *Server) target(project, name string, size, asked int64) (v *api.Volume, isNew bool, err error) {
	old, err := s.Store.Volumes.ByName(project, name)
	if api.CodeOf(err) == api.CodeNotFound {
		v := s.newVolume(project, name, nil, size, "")
		return v, true, s.checkNewVolume(v)
	}
	switch {
	case err != nil:
		return nil, false, err
	case old.Snapshot != nil:
		return nil, false, api.Errorf(api.CodeConflict, "volume %s is a snapshot, which does not change", old.Name).WithHint("choose another name")
	case asked != 0 && asked != old.Size:
		return nil, false, api.Errorf(api.CodeConflict, "volume %s is there already and its size is another", old.Name).InField("size").
			WithHint("leave the size out, and change it with: virga volume update --size")
	}
	return &old, false, nil
}

type importVolume struct {
	InProject
	Name    string `query:"name" required:"true" doc:"Name of the volume"`
	Size    int64  `query:"size" doc:"Limit in bytes of a new volume"`
	Replace bool   `query:"replace" doc:"Replace the content of a volume that is there already"`
}

func (s *Server) importVolume(r *http.Request, w http.ResponseWriter, q *importVolume) error {
	v, isNew, err := s.target(q.Project, q.Name, q.Size, q.Size)
	if err != nil {
		return err
	}
	if !isNew && !q.Replace {
		return api.Errorf(api.CodeConflict, "volume %s is there already", v.Name).InField("name").WithHint("--replace replaces what it holds")
	}
	return s.fillVolume(r, w, "unpacking", func(ctx context.Context, report func(int64)) (*api.Volume, error) {
		v, err := s.fill(ctx, v, isNew, "imported", func(ctx context.Context, v *api.Volume, report func(int64)) error {
			return s.Volumes.Import(ctx, v, r.Body, report)
		}, report)
		if err == nil {
			_, err = io.Copy(io.Discard, io.LimitReader(r.Body, 1<<20)) // what pads an archive
			s.recordVolume("import", v)
		}
		return v, err
	})
}

type exportVolume struct {
	Target
	Compression string `query:"compression" enum:"none,zstd" default:"none"`
}

func (s *Server) exportVolume(r *http.Request, w http.ResponseWriter, q *exportVolume) error {
	v, err := s.volume(q.Target)
	if err != nil {
		return err
	}
	ctx, done := s.lasting(r.Context())
	defer done()
	w.Header().Set("Content-Type", tarStream)
	return s.Volumes.Export(ctx, v, q.Compression == "zstd", w)
}
