package node

import (
	"testing"
	"testing/synctest"

	"github.com/virga-cloud/virga/api"
)

// An instance that is being stored has its place and no life, and is nobody's
// stale remains.
func TestAheadOfTheStore(t *testing.T) {
	world(t, func(t *testing.T, d *daemon) {
		synctest.Wait() // adopted
		in := instance("a", api.InstanceSpec{})
		stored := d.Ahead(instance("a", api.InstanceSpec{}))
		synctest.Wait()
		if !d.engine.places["a"] || len(d.engine.lives) > 0 {
			t.Fatalf("before it is stored: places %v, lives %v", d.engine.places, d.engine.lives)
		}
		if r, err := d.Check(t.Context(), true); err != nil || r.Stale != 0 || len(r.Resources) == 0 {
			t.Errorf("Check: %+v, %v", r, err)
		}
		if err := d.store.Instances.Create(t.Context(), in); err != nil {
			t.Fatal(err)
		}
		stored(true)
		if in := d.awaitPhase(t, "a", api.PhaseRunning); in.Status.Starts != 1 || in.Status.Life != 1 {
			t.Errorf("running: %+v", in.Status)
		}
		synctest.Wait()
		if len(d.events) != 1 || d.engine.starts["a"] != 1 {
			t.Errorf("events %v, starts %v, want one", d.events, d.engine.starts)
		}
	})
}

func TestAheadOfNothing(t *testing.T) {
	world(t, func(t *testing.T, d *daemon) {
		synctest.Wait()
		for range 2 {
			stored := d.Ahead(instance("a", api.InstanceSpec{}))
			synctest.Wait()
			stored(false)
			synctest.Wait()
			if left := d.engine.leftovers(); left != "" || len(d.events) > 0 {
				t.Errorf("left %s, events %v", left, d.events)
			}
		}
		// Under the same id, as after a name that was taken.
		create(t, d.store, "a", api.InstanceSpec{})
		if in := d.awaitPhase(t, "a", api.PhaseRunning); in.Status.Starts != 1 {
			t.Errorf("running: %+v", in.Status)
		}
	})
}

// A start that cannot succeed is told once there is somebody to tell.
func TestAheadOfAFailure(t *testing.T) {
	world(t, func(t *testing.T, d *daemon) {
		synctest.Wait()
		d.engine.image.Config.Command = nil
		createAhead(t, d, "a", api.InstanceSpec{})
		in := d.awaitPhase(t, "a", api.PhaseFailed)
		if in.Status.Error == nil || in.Status.Error.Code != api.CodeInvalid {
			t.Errorf("failed: %+v", in.Status)
		}
	})
}

// A volume is stored after the instance that it belongs to.
func TestAheadWithAVolume(t *testing.T) {
	world(t, func(t *testing.T, d *daemon) {
		synctest.Wait()
		d.engine.image.Config.Volumes = []string{"/data"}
		stored := d.Ahead(instance("a", api.InstanceSpec{}))
		synctest.Wait()
		if all := d.store.Volumes.Views(); len(all) > 0 {
			t.Errorf("%d volumes of an instance that is not stored", len(all))
		}
		stored(false)
		synctest.Wait()
		createAhead(t, d, "b", api.InstanceSpec{})
		d.awaitPhase(t, "b", api.PhaseRunning)
		if all := d.store.Volumes.Views(); len(all) != 1 {
			t.Errorf("%d volumes, want one", len(all))
		}
	})
}

// Before the node has adopted what runs, and after its end, nothing is begun.
func TestAheadOfTheNode(t *testing.T) {
	world(t, func(t *testing.T, d *daemon) {
		synctest.Wait()
		d.stop()
		stored := d.Ahead(instance("a", api.InstanceSpec{}))
		synctest.Wait()
		stored(true)
		if left := d.engine.leftovers(); left != "" {
			t.Error(left)
		}
		if stored := New(d.Config).Ahead(instance("a", api.InstanceSpec{})); stored == nil {
			t.Error("nothing to tell")
		} else {
			stored(true)
		}
	})
}
