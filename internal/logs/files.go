package logs

import (
	"errors"
	"io/fs"
	"os"
)

// A file moves up by one at each rotation. Whoever looks from the current one
// upward therefore misses none, but may meet one twice.

// newerThan opens the files of the log that are newer than have, oldest first;
// all of them when have is nil. found says that have is still one of them.
func newerThan(path string, have os.FileInfo) (files []*os.File, found bool, err error) {
	var infos []os.FileInfo
	missing := 0
	for i := 0; missing < 2; i++ {
		f, err := os.Open(rotated(path, i))
		if errors.Is(err, fs.ErrNotExist) {
			missing++ // one is missing for a moment while files move up
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
		if n := len(infos); n > 0 && os.SameFile(infos[n-1], info) {
			f.Close()
			continue
		}
		infos = append(infos, info)
		files = append(files, f)
	}
	for i, j := 0, len(files)-1; i < j; i, j = i+1, j-1 {
		files[i], files[j] = files[j], files[i]
	}
	return files, found, nil
}

func closeFiles(files []*os.File) {
	for _, f := range files {
		f.Close()
	}
}
