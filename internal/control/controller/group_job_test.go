package controller

import (
	"testing"

	"github.com/virga-cloud/virga/api"
)

// A job whose instance is not let in counts that once for each try, and waits
// before the next.
func TestRefusedPieceWaits(t *testing.T) {
	c := newCloud(t, api.GroupSpec{Job: &api.JobSpec{Completions: 1}})
	c.change(func(g *api.Group) { g.Revisions[0].Template.Image, g.Revisions[0].Image = "missing", "" })
	for failures := 1; failures < 5; failures++ {
		wake, err := c.groups.Step(t.Context(), c.id)
		if err != nil {
			t.Fatal(err)
		}
		g := c.group()
		if g.Status.Failures != failures || g.Status.NextTry.Before(c.now) || !wake.Equal(g.Status.NextTry) {
			t.Fatalf("after %d tries, woken at %v: %+v", failures, wake, g.Status)
		}
		c.now = wake
	}
}
