package logs

import (
	"errors"
	"io/fs"
	"os"
	"slices"
)

// A file moves up by one at each rotation. Whoever looks from the current one
// upward therefore misses none, but may meet one twice.

// maxGap is how many files in a row may be missing for a moment while they
// move up.
const maxGap = 4

// newerThan opens the files of the log that are newer than have, oldest first;
// all of them when have is nil. found says that have is still one of them.
func newerThan(path string, have os.FileInfo) (files []*os.File, found bool, err error) {
	var infos []os.FileInfo
	missing := 0
	for i := 0; missing < maxGap; i++ {
		f, err := os.Open(rotated(path, i))
		if errors.Is(err, fs.ErrNotExist) {
			missing++
			continue
		}
		if err != nil {
			closeFiles(files)
			return nil, false, err
		}
		missing = 0
		info, err := f.Stat()
		if err != nil {
			f.Close()
			closeFiles(files)
			return nil, false, err
		}
		if have != nil && os.SameFile(have, info) {
			f.Close()
			found = true
			break
		}
		// A file met again has moved up: those met in between are newer.
		same := func(o os.FileInfo) bool { return os.SameFile(o, info) }
		if k := slices.IndexFunc(infos, same); k >= 0 {
			files[k].Close()
			files, infos = slices.Delete(files, k, k+1), slices.Delete(infos, k, k+1)
		}
		infos = append(infos, info)
		files = append(files, f)
	}
	slices.Reverse(files)
	return files, found, nil
}

func closeFiles(files []*os.File) {
	for _, f := range files {
		f.Close()
	}
}
