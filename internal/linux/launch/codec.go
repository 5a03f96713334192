package launch

import (
	"encoding/binary"
	"errors"
)

var le = binary.LittleEndian

// ErrMalformed is returned for bytes that are no encoded program.
var ErrMalformed = errors.New("malformed program")

// Encoding, all numbers unsigned varints:
//
//	files | n data, n bytes | n relocs, each | n steps, each:
//	nr | save | 3 ignored errnos | n args, each: kind, value | n name, n bytes
//
// Trailing arguments that are immediate zeros are left out.

// Append encodes p at the end of b.
func (p *Program) Append(b []byte) []byte {
	b = binary.AppendUvarint(b, uint64(p.Files))
	b = binary.AppendUvarint(b, uint64(len(p.Data)))
	b = append(b, p.Data...)
	b = binary.AppendUvarint(b, uint64(len(p.Relocs)))
	for _, r := range p.Relocs {
		b = binary.AppendUvarint(b, uint64(r))
	}
	b = binary.AppendUvarint(b, uint64(len(p.Steps)))
	for i := range p.Steps {
		b = p.Steps[i].append(b)
	}
	return b
}

func (s *Step) append(b []byte) []byte {
	b = binary.AppendUvarint(b, uint64(s.Nr))
	b = append(b, s.Save)
	for _, e := range s.Ignore {
		b = binary.AppendUvarint(b, uint64(e))
	}
	n := len(s.Args)
	for n > 0 && s.Args[n-1] == (Arg{}) {
		n--
	}
	b = append(b, byte(n))
	for _, a := range s.Args[:n] {
		b = append(b, byte(a.Kind))
		b = binary.AppendUvarint(b, a.Value)
	}
	b = binary.AppendUvarint(b, uint64(len(s.Name)))
	return append(b, s.Name...)
}

// Decode reads a program that Append encoded and validates it. The program
// does not refer to b.
func Decode(b []byte) (*Program, error) {
	d := decoder{b: b}
	p := &Program{Files: int(d.number(MaxFiles))}
	p.Data = append([]byte(nil), d.bytes(MaxData)...)
	if n := d.count(maxReloc); n > 0 {
		p.Relocs = make([]uint32, n)
		for i := range p.Relocs {
			p.Relocs[i] = uint32(d.number(MaxData))
		}
	}
	if n := d.count(MaxSteps); n > 0 {
		p.Steps = make([]Step, n)
		for i := range p.Steps {
			d.step(&p.Steps[i])
		}
	}
	if d.bad || len(d.b) != 0 {
		return nil, ErrMalformed
	}
	if err := p.Validate(); err != nil {
		return nil, err
	}
	return p, nil
}

// decoder consumes b; after the first malformed item it yields zeros.
type decoder struct {
	b   []byte
	bad bool
}

func (d *decoder) number(limit uint64) uint64 {
	v, n := binary.Uvarint(d.b)
	if n <= 0 || v > limit {
		d.b, d.bad = nil, true
		return 0
	}
	d.b = d.b[n:]
	return v
}

// count reads the length of a list, each of whose items takes a byte or more.
func (d *decoder) count(limit uint64) int {
	n := d.number(limit)
	if n > uint64(len(d.b)) {
		d.b, d.bad = nil, true
		return 0
	}
	return int(n)
}

func (d *decoder) bytes(limit uint64) []byte {
	n := d.count(limit)
	p := d.b[:n]
	d.b = d.b[n:]
	return p
}

func (d *decoder) step(s *Step) {
	s.Nr = uint32(d.number(1<<32 - 1))
	s.Save = uint8(d.number(Registers))
	for i := range s.Ignore {
		s.Ignore[i] = uint16(d.number(4095))
	}
	n := d.count(uint64(len(s.Args)))
	for i := range s.Args[:n] {
		s.Args[i].Kind = ArgKind(d.number(uint64(Reg)))
		s.Args[i].Value = d.number(^uint64(0))
	}
	s.Name = string(d.bytes(maxName))
}
