package test

import (
	"fmt"
	"strings"
	"testing"

	"github.com/virga-cloud/virga/api"
)

// A job does every piece of its work once and says so; one that fails is given
// up after its retries.
func TestJob(t *testing.T) {
	d := Start(t)
	image := d.Busybox(t)
	d.noGroup(t, "work")
	d.noGroup(t, "bad")
	d.Must(t, "job", "run", "work", "--image", image, "--completions", "4", "--parallelism", "2", "-v", "out:/out", "--wait", "--",
		"sh", "-c", "touch /out/$VIRGA_JOB_PIECE")
	contains(t, d.Must(t, "job", "ls"), "4/4")
	equal(t, "pieces", strings.Join(fields(d.Must(t, "run", "--rm", "-v", "out:/out", image, "ls", "/out")), " "), "0 1 2 3")
	contains(t, d.Must(t, "job", "history", "work"), "run 1 succeeded")

	contains(t, d.Refused(t, "job", "run", "bad", "--image", image, "--retries", "1", "--wait", "--", "sh", "-c", "exit 7"), "exit 7")
	if n := len(fields(d.Must(t, "ps", "-aq", "--filter", "group=bad"))); n != 2 {
		t.Errorf("%d instances for one try and one retry", n)
	}
	d.Must(t, "job", "rm", "work", "bad")
	equal(t, "what is left", d.Must(t, "ps", "-aq"), "")
}

// A job goes on where it was when the daemon is killed.
func TestJobSurvivesTheDaemon(t *testing.T) {
	d := Start(t)
	image := d.Busybox(t)
	d.noGroup(t, "work")
	d.Must(t, "job", "run", "work", "--image", image, "--completions", "6", "--parallelism", "2", "-v", "out:/out", "--",
		"sh", "-c", "echo x >> /out/$VIRGA_JOB_PIECE; sleep 0.3")
	d.Kill9(t)
	d.Restart(t)
	eventually(t, "the job is done", func() (bool, string) {
		g := d.group(t, "work")
		return g.Status.Phase == api.GroupSucceeded, fmt.Sprintf("%+v %+v", g.Status, g.Status.Job)
	})
	equal(t, "pieces done once each", d.Must(t, "run", "--rm", "-v", "out:/out", image, "sh", "-c", "cat /out/* | wc -l"), "6")
	for _, args := range [][]string{
		{"run", "x", "--image", image, "--schedule", "61 * * * *"},
		{"run", "x", "--image", image, "--completions", "-1"},
		{"run", "x"},
	} {
		d.Refused(t, append([]string{"job"}, args...)...)
	}
}
