package launch

import "fmt"

// Limits of a program. They bound what a decoder allocates and a Run reads.
const (
	MaxData  = 2 << 20
	MaxSteps = 4096
	MaxFiles = 64
	maxReloc = 1 << 16
	maxName  = 512
)

// Validate reports whether every reference of p lies inside p. Run refuses a
// program that does not pass.
func (p *Program) Validate() error {
	switch {
	case len(p.Data) > MaxData:
		return fmt.Errorf("program: %d bytes of data, at most %d", len(p.Data), MaxData)
	case len(p.Steps) == 0 || len(p.Steps) > MaxSteps:
		return fmt.Errorf("program: %d steps, want 1 to %d", len(p.Steps), MaxSteps)
	case p.Files < 0 || p.Files > MaxFiles:
		return fmt.Errorf("program: %d files, at most %d", p.Files, MaxFiles)
	case len(p.Relocs) > maxReloc:
		return fmt.Errorf("program: %d relocations, at most %d", len(p.Relocs), maxReloc)
	}
	for _, r := range p.Relocs {
		if r%8 != 0 || int(r)+8 > len(p.Data) {
			return fmt.Errorf("program: relocation at %d of %d bytes", r, len(p.Data))
		}
		if v := le.Uint64(p.Data[r:]); v >= uint64(len(p.Data)) {
			return fmt.Errorf("program: relocation to %d of %d bytes", v, len(p.Data))
		}
	}
	forks := 0
	for i := range p.Steps {
		s := &p.Steps[i]
		if s.Nr == Fork {
			forks++
		}
		if err := s.validate(p); err != nil {
			return fmt.Errorf("program: step %d (%s): %w", i, s.Name, err)
		}
	}
	if forks > 1 {
		return fmt.Errorf("program: %d forks, at most one", forks)
	}
	return nil
}

func (s *Step) validate(p *Program) error {
	if s.Save > Registers {
		return fmt.Errorf("saves in register %d of %d", s.Save-1, Registers)
	}
	if s.Nr == Fork && s.Args[0].Kind != Imm {
		return fmt.Errorf("flags of a fork are not immediate")
	}
	for _, a := range s.Args {
		limit := ^uint64(0)
		switch a.Kind {
		case Imm:
			continue
		case Ptr:
			limit = uint64(len(p.Data))
		case File:
			limit = uint64(p.Files)
		case Reg:
			limit = Registers
		default:
			return fmt.Errorf("argument of kind %d", a.Kind)
		}
		if a.Value >= limit {
			return fmt.Errorf("argument %d out of range %d", a.Value, limit)
		}
	}
	return nil
}
