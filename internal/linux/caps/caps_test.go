package caps

import (
	"strings"
	"testing"
)

func TestApply(t *testing.T) {
	for _, c := range []struct {
		name      string
		add, drop []string
		want      string
	}{
		{"add one", []string{"net_admin"}, []string{"ALL"}, "CAP_NET_ADMIN"},
		{"drop wins over add", []string{"CHOWN", "KILL"}, []string{"ALL", "cap_kill"}, "CAP_CHOWN"},
		{"all of both", []string{"ALL"}, []string{"ALL"}, strings.Join(All.Names(), " ")},
		{"default", nil, nil, strings.Join(Default.Names(), " ")},
	} {
		t.Run(c.name, func(t *testing.T) {
			s, err := Default.Apply(c.add, c.drop)
			if got := strings.Join(s.Names(), " "); err != nil || got != c.want {
				t.Errorf("%s, %v", got, err)
			}
		})
	}
	if _, err := Default.Apply([]string{"FLY"}, nil); err == nil {
		t.Error("an unknown capability was taken")
	}
	if Default != 0xa80425fb {
		t.Errorf("default is %x", uint64(Default))
	}
}
