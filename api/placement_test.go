package api

import "testing"

func TestParseCondition(t *testing.T) {
	for in, want := range map[string]Condition{
		"zone=a": {"zone", "a", false}, "zone == a": {"zone", "a", false}, " zone != a b ": {"zone", "a b", true},
		"virga.node=n1": {"virga.node", "n1", false}, "a/b=c=d": {"a/b", "c=d", false},
	} {
		got, err := ParseCondition(in)
		if err != nil || got != want {
			t.Errorf("%q: %+v, %v", in, got, err)
		}
		if again, err := ParseCondition(got.String()); err != nil || again != want {
			t.Errorf("%q again: %+v, %v", got, again, err)
		}
	}
	for _, in := range []string{"", "zone", "=a", "zone=", "zone!", "!=a", "zo ne=a", "-a=b", "zone!!=a"} {
		if c, err := ParseCondition(in); CodeOf(err) != CodeInvalid {
			t.Errorf("%q: %+v, %v", in, c, err)
		}
	}
}
