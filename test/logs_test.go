package test

import (
	"bufio"
	"context"
	"fmt"
	"strings"
	"testing"
	"time"
)

func TestLogsAreWholeAndInOrder(t *testing.T) {
	d := Start(t)
	image := d.Busybox(t)
	const lines = 20000
	id := d.Must(t, "run", "-d", image, "sh", "-c", fmt.Sprintf("seq 1 %d", lines))
	d.Must(t, "wait", id)
	n := 0
	for line := range strings.Lines(d.Must(t, "logs", id) + "\n") {
		n++
		if strings.TrimSpace(line) != fmt.Sprint(n) {
			t.Fatalf("line %d is %q", n, line)
		}
	}
	if n != lines {
		t.Errorf("%d lines of %d", n, lines)
	}
}

func TestLogOptions(t *testing.T) {
	d := Start(t)
	image := d.Busybox(t)
	id := d.Must(t, "run", "-d", image, "sh", "-c", "echo out1; echo err1 >&2; sleep 0.2; echo out2; printf unended")
	d.Must(t, "wait", id)

	r := d.CLI("logs", id)
	equal(t, "stdout", r.Stdout, "out1\nout2\nunended\n")
	equal(t, "stderr", r.Stderr, "err1\n")
	equal(t, "tail", d.CLI("logs", "--tail", "2", id).Stdout, "out2\nunended\n")
	equal(t, "tail 0", d.CLI("logs", "--tail", "0", id).Stdout, "")
	equal(t, "since the future", d.CLI("logs", "--since", time.Now().Add(time.Hour).UTC().Format(time.RFC3339), id).Stdout, "")
	equal(t, "since an hour", d.CLI("logs", "--since", "1h", id).Stdout, "out1\nout2\nunended\n")
	stamp, text, ok := strings.Cut(strings.SplitN(d.Must(t, "logs", "-t", id), "\n", 2)[0], " ")
	if _, err := time.Parse(time.RFC3339Nano, stamp); err != nil || !ok || text != "out1" {
		t.Errorf("timestamps: %q %q %v", stamp, text, err)
	}
}

func TestLongLinesStayWhole(t *testing.T) {
	d := Start(t)
	image := d.Busybox(t)
	id := d.Must(t, "run", "-d", image, "sh", "-c", "head -c 100000 /dev/zero | tr '\\0' x; echo; echo end")
	d.Must(t, "wait", id)
	if got := d.Must(t, "logs", id); got != strings.Repeat("x", 100000)+"\nend" {
		t.Errorf("%d bytes came back", len(got))
	}
}

func TestFollowedLogEndsWithTheInstance(t *testing.T) {
	d := Start(t)
	image := d.Busybox(t)
	id := d.Must(t, "run", "-d", "-i", image, "sh", "-c", "echo first; while read x; do echo got $x; done; echo last")
	ctx, cancel := context.WithTimeout(t.Context(), 2*patience())
	defer cancel()
	follow := d.Command(ctx, "logs", "-f", id)
	out, err := follow.StdoutPipe()
	if err != nil {
		t.Fatal(err)
	}
	if err := follow.Start(); err != nil {
		t.Fatal(err)
	}
	lines := bufio.NewScanner(out)
	expect := func(want string) {
		t.Helper()
		if !lines.Scan() || lines.Text() != want {
			t.Fatalf("followed %q, want %q", lines.Text(), want)
		}
	}
	expect("first")
	// Detached with -i, its standard input stays open for whoever attaches.
	attach := d.Command(ctx, "attach", "--sig-proxy=false", id)
	in, err := attach.StdinPipe()
	if err != nil {
		t.Fatal(err)
	}
	if err := attach.Start(); err != nil {
		t.Fatal(err)
	}
	fmt.Fprintln(in, "word")
	expect("got word")
	attach.Process.Kill()
	attach.Wait()
	d.Must(t, "stop", "-t", "1", id)
	for lines.Scan() {
	}
	if err := follow.Wait(); err != nil {
		t.Errorf("logs -f of an instance that ended: %v", err)
	}
}
