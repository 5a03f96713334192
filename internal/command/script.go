package command

import (
	"embed"
	"io"
	"strings"
)

//go:embed script
var scripts embed.FS

// Script writes what has a shell, bash, zsh or fish, complete the words of
// program by asking it. It reports whether there is one for the shell.
func Script(w io.Writer, shell, program string) (bool, error) {
	b, err := scripts.ReadFile("script/" + shell)
	if err != nil {
		return false, nil
	}
	_, err = io.WriteString(w, strings.ReplaceAll(string(b), "PROGRAM", program))
	return true, err
}
