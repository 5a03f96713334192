package prime

import (
	"runtime"
	"testing"
)

func TestOneProcessor(t *testing.T) {
	if n := runtime.GOMAXPROCS(0); n != 1 {
		t.Errorf("the runtime has %d processors", n)
	}
}
