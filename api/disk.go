package api

// DiskMethod is how a size is enforced.
type DiskMethod string

const (
	DiskQuota DiskMethod = "quota" // a project quota of the node's file system
	DiskImage DiskMethod = "image" // a file system of its own in an image file
)

// DiskUsage is what a writable layer or a volume with a size may hold and
// holds, in bytes.
type DiskUsage struct {
	Method DiskMethod `json:"method" enum:"quota,image"`
	Size   int64      `json:"size"`
	// Used counts what the file system in an image needs for itself; it is 0
	// while an image is not in use.
	Used int64 `json:"used"`
	Free int64 `json:"free"` // what can still be written
	// Allocated is what it takes of the node's own file system.
	Allocated int64 `json:"allocated"`
}

// MinDiskSize is the least that a size can be, in bytes: below it, a file
// system's own needs leave nothing.
const MinDiskSize = 16 << 20

// ValidateDiskSize refuses what no writable layer or volume can have; field
// names it.
func ValidateDiskSize(field string, size int64) error {
	const most = 1 << 53 // 8 PiB
	if size < MinDiskSize || size > most {
		return Invalid(field, "size %d is not between %d (16 MiB) and %d (8 PiB) bytes", size, int64(MinDiskSize), int64(most))
	}
	return nil
}

// CanBecome refuses a new size that the disk cannot have.
func (u DiskUsage) CanBecome(size int64) error {
	switch {
	case size >= u.Size:
		return nil
	case u.Method == DiskImage:
		return Errorf(CodeConflict, "size: the disk has %s and is an image, which cannot be made smaller", FormatBytes(u.Size)).InField("size").
			WithHint("export it, and import it into a smaller one")
	case size < u.Used:
		return Errorf(CodeConflict, "size: %s are in use, which is more than %s", FormatBytes(u.Used), FormatBytes(size)).InField("size").
			WithHint("delete something first")
	}
	return nil
}
