package cli

import (
	"strings"
	"testing"

	"github.com/virga-cloud/virga/api"
)

// A bad value is told with the flag it was given to, the value and what to give.
func TestErrorsNameTheFlag(t *testing.T) {
	f := newFake(t)
	f.images = []api.Image{{Names: []string{"app"}}}
	for command, want := range map[string]string{
		"--blkio-weight 70000":         `--blkio-weight "70000": is out of range`,
		"--blkio-weight -1":            `--blkio-weight "-1": want a whole number that is not negative`,
		"--pids-limit many":            `--pids-limit "many": want a whole number`,
		"--health-interval soon":       `--health-interval "soon": want a duration, such as 30s or 1h30m`,
		"--init=perhaps":               `--init "perhaps": want true or false`,
		"--cpus NaN":                   `--cpus "NaN": want a number such as 0.5`,
		"--cpu-quota -5":               "--cpu-quota -5 is negative",
		"--cpu-period 5 --cpu-quota 5": "--cpu-period 5 is not between 1000 and 1000000",
		"--cpu-period 50000":           "--cpu-period 50000 needs --cpu-quota",
		"--cpus 1 --cpu-quota 5":       "--cpus and --cpu-quota exclude each other",
		"--network-rate 0.5":           `--network-rate: network rate "0.5": want bits per second`,
		"--shm-size x":                 `--shm-size: size "x": want a number`,
		"--memory -1":                  `--memory: size "-1": want a number`,
		"--memory-swap x -m 1g":        `--memory-swap: size "x": want a number`,
		"--storage-opt size=x":         `--storage-opt: size "x": want a number`,
		"--device-read-bps /dev/sda:x": `--device-read-bps: size "x": want a number`,
		"--ulimit nofile":              `ulimit "nofile": want NAME=SOFT[:HARD]`, // says it already
	} {
		status, _, errs := f.virga("", append([]string{"create"}, append(strings.Fields(command), "app")...)...)
		if status != 2 || !strings.HasPrefix(errs, "virga: "+want) {
			t.Errorf("%s: %d %s", command, status, errs)
		}
	}
}

func TestKebab(t *testing.T) {
	for in, want := range map[string]string{"memorySwap": "memory-swap", "cpus": "cpus", "oomScoreAdj": "oom-score-adj"} {
		if got := kebab(in); got != want {
			t.Errorf("%s: %s, want %s", in, got, want)
		}
	}
}
