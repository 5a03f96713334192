package image

import "github.com/virga-cloud/virga/api"

// Limits bound what one image may cost. Zero fields mean the default.
type Limits struct {
	Layers      int   // layers of one image; default 127, what overlayfs and Docker agree on
	Unpacked    int64 // bytes of all files of one image; default 64 GiB
	Files       int64 // entries of all layers of one image; default 4 Mi
	Manifest    int64 // bytes of one manifest, index or configuration; default 4 MiB
	Ratio       int64 // unpacked bytes per compressed byte beyond RatioFree; default 400
	RatioFree   int64 // bytes that may be unpacked whatever the ratio; default 256 MiB
	Xattrs      int   // extended attributes of one entry; default 64
	XattrBytes  int   // bytes of names and values of one entry; default 64 KiB
	NameBytes   int   // bytes of one entry's name; default 4095
	SmallMemory int64 // bytes of small files of an archive held in memory; default 64 MiB
}

func (l Limits) withDefaults() Limits {
	def(&l.Layers, 127)
	def(&l.Unpacked, 64<<30)
	def(&l.Files, 4<<20)
	def(&l.Manifest, 4<<20)
	def(&l.Ratio, 400)
	def(&l.RatioFree, 256<<20)
	def(&l.Xattrs, 64)
	def(&l.XattrBytes, 64<<10)
	def(&l.NameBytes, 4095)
	def(&l.SmallMemory, 64<<20)
	return l
}

func def[T int | int64](v *T, d T) {
	if *v == 0 {
		*v = d
	}
}

// refuse is the error for an archive or an image that breaks a rule.
func refuse(format string, args ...any) *api.Error {
	return api.Errorf(api.CodeInvalid, format, args...)
}
