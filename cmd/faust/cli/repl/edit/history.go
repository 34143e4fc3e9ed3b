package edit

import (
	"bufio"
	"bytes"
	"encoding/json"
	"os"
	"path/filepath"
	"slices"
	"strings"
)

// mostEntries is how many inputs a history keeps.
const mostEntries = 2000

// History is the inputs of earlier, the latest last, each once. The zero value is one that is not kept in a file.
type History struct {
	file    string
	entries []string
}

// OpenHistory reads the history in a file, which need not be there yet.
func OpenHistory(file string) (*History, error) {
	h := &History{file: file}
	b, err := os.ReadFile(file)
	if err != nil && !os.IsNotExist(err) {
		return h, err
	}
	lines := 0
	s := bufio.NewScanner(bytes.NewReader(b))
	s.Buffer(nil, len(b)+1)
	for ; s.Scan(); lines++ {
		var entry string
		if json.Unmarshal(s.Bytes(), &entry) == nil {
			h.put(entry)
		}
	}
	if lines > 2*mostEntries {
		return h, h.rewrite()
	}
	return h, nil
}

func (h *History) put(entry string) {
	if i := slices.Index(h.entries, entry); i >= 0 {
		h.entries = slices.Delete(h.entries, i, i+1)
	}
	h.entries = append(h.entries, entry)
	if len(h.entries) > mostEntries {
		h.entries = h.entries[1:]
	}
}

// Add adds an input. One that begins with a blank is not kept.
func (h *History) Add(entry string) error {
	entry = strings.TrimRight(entry, " \t\r\n")
	if entry == "" || entry[0] == ' ' {
		return nil
	}
	if n := len(h.entries); n > 0 && h.entries[n-1] == entry {
		return nil
	}
	h.put(entry)
	if h.file == "" {
		return nil
	}
	if err := os.MkdirAll(filepath.Dir(h.file), 0o700); err != nil {
		return err
	}
	f, err := os.OpenFile(h.file, os.O_CREATE|os.O_APPEND|os.O_WRONLY, 0o600)
	if err != nil {
		return err
	}
	defer f.Close()
	_, err = f.Write(encode(entry))
	return err
}

// encode writes an entry as one line.
func encode(entry string) []byte {
	b, _ := json.Marshal(entry) // a string can be written
	return append(b, '\n')
}

// rewrite writes the file with what is kept only.
func (h *History) rewrite() error {
	var b bytes.Buffer
	for _, entry := range h.entries {
		b.Write(encode(entry))
	}
	fresh := h.file + ".new"
	if err := os.WriteFile(fresh, b.Bytes(), 0o600); err != nil {
		return err
	}
	return os.Rename(fresh, h.file)
}

// search finds the latest entry before number from that contains what; -1: there is none.
func (h *History) search(what string, from int) int {
	for i := min(from, len(h.entries)) - 1; i >= 0; i-- {
		if strings.Contains(h.entries[i], what) {
			return i
		}
	}
	return -1
}

// suggest gives how the latest entry that begins with s goes on; "": there is none.
func (h *History) suggest(s string) string {
	if s == "" || strings.TrimSpace(s) == "" {
		return ""
	}
	for i := len(h.entries) - 1; i >= 0; i-- {
		if rest, ok := strings.CutPrefix(h.entries[i], s); ok && rest != "" {
			return rest
		}
	}
	return ""
}
