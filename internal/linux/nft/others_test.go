package nft

import (
	"encoding/binary"
	"errors"
	"os"
	"os/exec"
	"slices"
	"strings"
	"testing"
)

// program runs iptables, of one kind or the other, or skips where there is none.
func program(t *testing.T, name, args string) string {
	t.Helper()
	if os.Geteuid() != 0 {
		t.Skip("needs root")
	}
	cmd := exec.Command(name, strings.Fields(args)...)
	var problem strings.Builder
	cmd.Stderr = &problem
	out, err := cmd.Output()
	if errors.Is(err, exec.ErrNotFound) {
		t.Skipf("other programs' rules are not supported without the program: %v", err)
	}
	if err != nil {
		t.Fatalf("%s %s: %v: %s", name, args, err, &problem)
	}
	return string(out)
}

func TestDroppersOfIptablesLegacy(t *testing.T) {
	for _, name := range []string{"iptables-legacy", "ip6tables-legacy"} {
		if out, err := exec.Command(name, "-S").CombinedOutput(); err != nil {
			t.Skipf("%s: not supported by this machine: %v: %s", name, err, out)
		}
		chain := name + " filter FORWARD"
		for policy, want := range map[string]bool{"DROP": true, "ACCEPT": false} {
			program(t, name, "-P FORWARD "+policy)
			for _, rules := range []string{"-A FORWARD -i lo -j ACCEPT", "-A FORWARD -p tcp --dport 80 -j DROP", "-F FORWARD"} {
				program(t, name, rules)
				if got, err := legacyDroppers(); err != nil || slices.Contains(got, chain) != want {
					t.Errorf("policy %s: %v, %v", policy, got, err)
				}
			}
		}
	}
}

func FuzzLegacyPolicy(f *testing.F) {
	entry := make([]byte, 152)
	binary.NativeEndian.PutUint16(entry[legacyTargetOffset:], 112)
	verdict := int32(legacyDrop)
	binary.NativeEndian.PutUint32(entry[112+legacyVerdict:], uint32(verdict))
	if !legacyPolicyDrops(entry, 0, false) {
		f.Fatal("a policy that drops is not seen")
	}
	f.Add(entry, uint32(0), false)
	f.Add(entry, uint32(1<<31), true)
	f.Fuzz(func(t *testing.T, entries []byte, at uint32, v6 bool) { legacyPolicyDrops(entries, at, v6) })
}

func TestPassageIsKeptWhereItIsNeeded(t *testing.T) {
	const tables = "iptables-nft"
	program(t, tables, "-N DOCKER-USER")
	defer func() {
		for _, args := range []string{"-P FORWARD ACCEPT", "-F", "-X"} {
			program(t, tables, args)
		}
	}()
	p, err := OpenPassage("test", "vt")
	if err != nil {
		t.Fatal(err)
	}
	defer p.Close()
	keep := func(what string, want bool) {
		t.Helper()
		if got, err := p.Keep(); got != want || err != nil {
			t.Errorf("%s: changed %v, %v", what, got, err)
		}
		if got, err := p.Keep(); got || err != nil {
			t.Errorf("%s, again: changed %v, %v", what, got, err)
		}
	}
	keep("nobody drops", false)
	program(t, tables, "-P FORWARD DROP")
	keep("the policy drops", true)
	want := `-A DOCKER-USER -i vt+ -o docker+ -m comment --comment "virga: test" -j RETURN
-A DOCKER-USER -i vt+ -o br-+ -m comment --comment "virga: test" -j RETURN
-A DOCKER-USER -i vt+ -m comment --comment "virga: test" -j ACCEPT
-A DOCKER-USER -o vt+ -m comment --comment "virga: test" -j ACCEPT
`
	if got := program(t, tables, "-S DOCKER-USER"); !strings.HasSuffix(got, want) {
		t.Errorf("rules\n%s", got)
	}
	if got, err := p.Chains(); err != nil || !slices.Equal(got, []string{"ip filter DOCKER-USER"}) {
		t.Errorf("chains %v, %v", got, err)
	}
	other, err := OpenPassage("other", "vo")
	if err != nil {
		t.Fatal(err)
	}
	defer other.Close()
	if changed, err := other.Keep(); !changed || err != nil {
		t.Errorf("another daemon: %v, %v", changed, err)
	}
	keep("another daemon is there", false)
	if err := other.Delete(); err != nil {
		t.Fatal(err)
	}
	program(t, tables, "-D DOCKER-USER 3")
	keep("a rule was taken out", true)
	if got := program(t, tables, "-S DOCKER-USER"); !strings.HasSuffix(got, want) {
		t.Errorf("repaired rules\n%s", got)
	}
	program(t, tables, "-P FORWARD ACCEPT")
	keep("the policy accepts again", true)
	if got := program(t, tables, "-S DOCKER-USER"); got != "-N DOCKER-USER\n" {
		t.Errorf("left:\n%s", got)
	}
}
