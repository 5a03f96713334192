package node

import "strings"

// signalName writes a signal the way the engines know it: SIGTERM for TERM,
// numbers as they are.
func signalName(s string) string {
	s = strings.ToUpper(strings.TrimSpace(s))
	if s == "" {
		return "SIGKILL"
	}
	if s[0] >= '0' && s[0] <= '9' || strings.HasPrefix(s, "SIG") {
		return s
	}
	return "SIG" + s
}
