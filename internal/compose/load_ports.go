package compose

import (
	"fmt"
	"maps"
	"strconv"
	"strings"

	"github.com/compose-spec/compose-go/v2/loader"
	"github.com/compose-spec/compose-go/v2/tree"
)

// maxPorts bounds the ports that the ranges of all files of a project stand
// for. The library makes an entry of each, in a time that grows with the
// square: those of a range 1-65535 take it a quarter of a minute.
const maxPorts = 2048

// boundPorts refuses ranges of the short form of ports before they are spread,
// in every file that the project is made of.
func boundPorts(o *loader.Options) {
	if o.Interpolate == nil {
		return // only the names of files are looked for
	}
	total := 0
	casts := maps.Clone(o.Interpolate.TypeCastMapping) // the library's own, for everybody
	casts[tree.NewPath("services", tree.PathMatchAll, "ports", tree.PathMatchList)] = func(value string) (any, error) {
		n := portsOf(value)
		if total += n; n > maxPorts || total > maxPorts {
			return nil, &tooManyPorts{value, n}
		}
		return value, nil
	}
	o.Interpolate.TypeCastMapping = casts
}

// tooManyPorts says that ranges of ports are too wide.
type tooManyPorts struct {
	value string
	n     int
}

func (e *tooManyPorts) Error() string {
	return fmt.Sprintf("%q stands for %d ports, and the ranges of a project for at most %d", e.value, e.n, maxPorts)
}

// portsOf is how many ports the short form [[IP:]PUBLISHED:]TARGET[/PROTOCOL]
// stands for. What is no port is one: the library says what is wrong with it.
func portsOf(value string) int {
	value, _, _ = strings.Cut(value, "/")
	target := value[strings.LastIndexByte(value, ':')+1:]
	first, last, ok := strings.Cut(target, "-")
	from, err := strconv.Atoi(strings.TrimSpace(first))
	if !ok || err != nil {
		return 1
	}
	to, err := strconv.Atoi(strings.TrimSpace(last))
	if err != nil || to < from {
		return 1
	}
	return to - from + 1
}
