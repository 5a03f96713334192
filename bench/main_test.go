package main

import (
	"testing"
)

func TestPartsAreChosenByName(t *testing.T) {
	for _, c := range []struct{ only, want string }{
		{"start", "start:"}, {"scaling.crash,scaling.up", "scaling:crash scaling:up"},
		{"sca", "there is no benchmark \"sca\""}, {"scaling.x", "benchmark scaling has no part \"x\""}, {"start.x", "benchmark start has no part \"x\""},
	} {
		chosen, err := choose(c.only)
		got := ""
		for i, b := range chosen {
			if i > 0 {
				got += " "
			}
			got += b.name + ":"
			for _, p := range b.parts {
				got += p.name
			}
		}
		if err != nil {
			got = err.Error()
		}
		if got != c.want {
			t.Errorf("-only %s: %s, want %s", c.only, got, c.want)
		}
	}
}
