package broker

import (
	"encoding/binary"
	"errors"
	"hash/crc32"
	"os"
	"path/filepath"
)

// The logs that the broker appends to, and the head of their entries: length of what is below, checksum of what is below, then version and content.
var stateLogs = []string{"groups.log", "pids.log"}

const entryHead = 8

var castagnoli = crc32.MakeTable(crc32.Castagnoli)

// mend cuts off what a death or a full disk left of a last entry. The broker does not read beyond it, but would write there: what comes after it, offsets
// that were committed since, would be lost at the next start.
func mend(dir string) error {
	for _, name := range stateLogs {
		path := filepath.Join(dir, name)
		text, err := os.ReadFile(path)
		if errors.Is(err, os.ErrNotExist) {
			continue
		}
		if err != nil {
			return err
		}
		if n := whole(text); n < len(text) {
			if err := os.Truncate(path, int64(n)); err != nil {
				return err
			}
		}
	}
	return nil
}

// whole gives the length of the entries that can be read.
func whole(text []byte) int {
	n := 0
	for len(text)-n >= entryHead {
		size := int(binary.LittleEndian.Uint32(text[n:]))
		if size < 2 || size > len(text)-n-entryHead {
			break
		}
		body := text[n+entryHead : n+entryHead+size]
		if crc32.Checksum(body, castagnoli) != binary.LittleEndian.Uint32(text[n+4:]) {
			break
		}
		n += entryHead + size
	}
	return n
}
