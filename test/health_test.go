package test

import (
	"testing"

	"github.com/virga-cloud/virga/api"
)

func TestHealthCheck(t *testing.T) {
	d := Start(t)
	image := d.Busybox(t)
	d.Must(t, "run", "-d", "--name", "patient",
		"--health-cmd", "test -e /tmp/well", "--health-interval", "200ms", "--health-retries", "2", "--health-timeout", "30s",
		image, "sleep", "1000")
	is := func(state string) func(api.Instance) bool {
		return func(in api.Instance) bool { return in.Status.Health != nil && in.Status.Health.State == state }
	}
	in := d.WaitFor(t, "patient", "unhealthy", is(api.HealthUnhealthy))
	if len(in.Status.Health.Log) == 0 || in.Status.Health.Log[0].ExitCode == 0 {
		t.Errorf("probes: %+v", in.Status.Health.Log)
	}
	d.Must(t, "exec", "patient", "touch", "/tmp/well")
	d.WaitFor(t, "patient", "healthy", is(api.HealthHealthy))
	contains(t, d.Must(t, "ps"), "healthy")
	d.Must(t, "exec", "patient", "rm", "/tmp/well")
	d.WaitFor(t, "patient", "unhealthy again", is(api.HealthUnhealthy))
}
