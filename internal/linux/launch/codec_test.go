package launch

import (
	"bytes"
	"testing"

	"github.com/google/go-cmp/cmp"
)

func sample(t testing.TB) *Program {
	b := NewBuilder()
	f := b.File()
	r := b.Result("open", 2, f, b.String("/x"), Int(-100))
	b.Syscall("use", 3, r, b.Words(Int(1), b.Bytes([]byte("payload"))))
	b.Close(r)
	b.Fork("fork", 1<<17)
	b.Stdio(true)
	b.Exec([]string{"/bin/a", "/usr/bin/a"}, []string{"a", ""}, nil)
	p, err := b.Program()
	if err != nil {
		t.Fatal(err)
	}
	return p
}

func TestCodecKeepsAProgram(t *testing.T) {
	p := sample(t)
	got, err := Decode(p.Append(nil))
	if err != nil {
		t.Fatal(err)
	}
	if d := cmp.Diff(p, got); d != "" {
		t.Error(d)
	}
}

func TestBuilderRefuses(t *testing.T) {
	for name, build := range map[string]func(b *Builder){
		"NUL in a string": func(b *Builder) { b.Syscall("x", 1, b.String("a\x00b")) },
		"no registers left": func(b *Builder) {
			for range Registers + 1 {
				b.Result("x", 1)
			}
		},
		"seven arguments":    func(b *Builder) { b.Syscall("x", 1, make([]Arg, 7)...) },
		"a register in data": func(b *Builder) { b.Syscall("x", 1, b.Words(Arg{Reg, 0})) },
		"two forks":          func(b *Builder) { b.Fork("a", 0); b.Fork("b", 0) },
		"an empty program":   func(b *Builder) {},
		"nothing to execute": func(b *Builder) { b.Exec(nil, nil, nil) },
	} {
		t.Run(name, func(t *testing.T) {
			b := NewBuilder()
			build(b)
			if _, err := b.Program(); err == nil {
				t.Error("no error")
			}
		})
	}
}

func FuzzDecode(f *testing.F) {
	f.Add(sample(f).Append(nil))
	f.Add([]byte{})
	f.Fuzz(func(t *testing.T, b []byte) {
		p, err := Decode(b)
		if err != nil {
			return
		}
		again, err := Decode(p.Append(nil))
		if err != nil {
			t.Fatal(err)
		}
		if !bytes.Equal(p.Append(nil), again.Append(nil)) {
			t.Error("a program changes when it is encoded again")
		}
		_ = newFrame(p, make([]int, p.Files))
	})
}
