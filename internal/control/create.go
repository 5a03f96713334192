package control

import (
	"context"
	"time"

	"github.com/virga-cloud/virga/api"
)

// Images knows what images the node has.
type Images interface {
	// Inspect finds an image by name or digest, or returns NotFound.
	Inspect(ctx context.Context, name string) (api.Image, error)
}

// Creation asks for one instance.
type Creation struct {
	api.CreateRequest
	Project string
	Start   bool
	// Cause says in the event who wanted it, "" for the user.
	Cause string

	// Group, Revision and Ordinal are set for a member of a group; Image is
	// then the id of the revision's image, which a tag that moved meanwhile
	// does not change.
	Group             string
	Revision, Ordinal int
	Image             string
	Warm              bool // for its group's warm pool

	// Before, when not nil, is called with the instance that is about to be
	// stored; its error stops that.
	Before func(*api.Instance) error
}

// Create stores a new instance in one durable write; the node makes it
// meanwhile, and starts it when it is stored and that is asked for. It is the
// only way an instance comes to be, whoever asks for it.
func (a *Admission) Create(ctx context.Context, c Creation) (*api.Instance, error) {
	if err := api.ValidateName("project", c.Project); err != nil {
		return nil, err
	}
	if c.Name != "" {
		if err := api.ValidateName("name", c.Name); err != nil {
			return nil, err
		}
	}
	if err := ValidateLabels(c.Labels); err != nil {
		return nil, err
	}
	if err := ValidateSpec(&c.Spec); err != nil {
		return nil, err
	}
	if err := a.checkNetworks(c.Project, &c.Spec); err != nil {
		return nil, err
	}
	if err := a.join(c.Project, &c.Spec); err != nil {
		return nil, err
	}
	if c.Image == "" {
		if _, err := a.Resolve(ctx, c.Spec.Image); err != nil {
			return nil, err
		}
	}
	in := &api.Instance{
		Meta:  api.Meta{ID: NewID(), Name: c.Name, Project: c.Project, Labels: c.Labels, Created: time.Now().UTC()},
		Group: c.Group, GroupRevision: c.Revision, GroupOrdinal: c.Ordinal, Warm: c.Warm,
		Spec:    c.Spec,
		Desired: api.Desired{State: api.DesiredStopped},
		Status:  api.InstanceStatus{Phase: api.PhaseCreated, Image: c.Image},
	}
	if err := a.size(in); err != nil {
		return nil, err
	}
	if err := a.offer(in); err != nil {
		return nil, err
	}
	if c.Start {
		in.Desired = api.Desired{State: api.DesiredRunning, Life: 1}
	}
	release, waits, err := a.reserve(in)
	if err != nil {
		return nil, err
	}
	defer release()
	kept, err := a.ReserveDisk(in.ID, "spec.resources.disk", in.Limits().Disk)
	if err != nil {
		return nil, err
	}
	defer kept()
	if waits {
		in.Desired.Waits = madeRoom(in.Created)
	}
	if err := a.store(ctx, in, &c); err != nil {
		return nil, err
	}
	a.Record(api.Event{
		Kind: "instance", Action: "create", ID: in.ID, Name: in.Name, Project: in.Project,
		Message: c.Cause, Attrs: map[string]string{"image": in.Spec.Image, "type": in.Type.Name},
	})
	return in, nil
}

// Check is what Create checks of a spec on this node, for who will make
// instances of it later. It returns the image.
func (a *Admission) Check(ctx context.Context, project string, s *api.InstanceSpec) (api.Image, error) {
	if err := a.checkNetworks(project, s); err != nil {
		return api.Image{}, err
	}
	joined := *s // what it shares may be another instance by then
	if err := a.join(project, &joined); err != nil {
		return api.Image{}, err
	}
	if err := a.size(&api.Instance{Spec: *s}); err != nil {
		return api.Image{}, err
	}
	return a.Resolve(ctx, s.Image)
}

// Resolve finds the image that an instance is to be made from.
func (a *Admission) Resolve(ctx context.Context, name string) (api.Image, error) {
	img, err := a.Images.Inspect(ctx, name)
	if api.CodeOf(err) == api.CodeNotFound {
		err = api.Errorf(api.CodeNotFound, "no image %q on this node", name).InField("spec.image").
			WithHint("virga image pull %s", name)
	}
	return img, err
}

// nameTries is how many pairs of words are tried before one gets a suffix.
const nameTries = 8

func (a *Admission) store(ctx context.Context, in *api.Instance, c *Creation) error {
	anyName := c.Name == ""
	if anyName {
		in.Name = NewName()
	}
	stored := a.ahead(in)
	if c.Before != nil {
		if err := c.Before(in); err != nil {
			stored(false)
			return err
		}
	}
	err := a.Store.Instances.Create(ctx, in)
	stored(err == nil)
	for try := 1; anyName && api.CodeOf(err) == api.CodeConflict && try <= nameTries+1; try++ {
		in.Name = NewName()
		if try >= nameTries {
			in.Name += "-" + in.ID[:6]
		}
		err = a.Store.Instances.Create(ctx, in)
	}
	return err
}

// ahead has the node begin with an instance that is to run at once and whose
// name is free as far as is known.
func (a *Admission) ahead(in *api.Instance) (stored func(ok bool)) {
	_, err := a.Store.Instances.ByName(in.Project, in.Name)
	if a.Ahead == nil || api.CodeOf(err) != api.CodeNotFound ||
		in.Desired.State != api.DesiredRunning || in.Desired.Waits != nil {
		return func(bool) {}
	}
	as := *in // storing it sets its revision
	return a.Ahead(&as)
}
