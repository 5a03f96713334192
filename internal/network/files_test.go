package network

import "testing"

func TestResolverSettingsReplaceTheNodes(t *testing.T) {
	const node = "# made\nnameserver 9.9.9.9\nsearch home\noptions edns0"
	for _, tt := range []struct {
		r    Request
		want string
	}{
		{Request{}, node + "\n"},
		{Request{DNS: []string{"1.1.1.1"}}, "# made\nsearch home\noptions edns0\nnameserver 1.1.1.1\n"},
		{Request{DNSSearch: []string{"a", "b"}, DNSOptions: []string{"ndots:2"}}, "# made\nnameserver 9.9.9.9\nsearch a b\noptions ndots:2\n"},
	} {
		if got := string(replaceResolv([]byte(node), tt.r)); got != tt.want {
			t.Errorf("%+v:\n%s", tt.r, got)
		}
	}
}
