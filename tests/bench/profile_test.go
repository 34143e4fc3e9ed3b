package main

import (
	"compress/gzip"
	"encoding/binary"
	"io"
	"os"
	"path/filepath"
	"slices"
	"testing"
)

// The profile has the names of source files, not where they were when it was made.
func TestProfileHasNoPlaces(t *testing.T) {
	t.Parallel()
	all := profileStrings(t)
	if !slices.Contains(all, "faust/luabind/direct.go") {
		t.Error("it does not name luabind/direct.go")
	}
	for _, s := range all {
		if filepath.IsAbs(s) && filepath.Ext(s) == ".go" {
			t.Fatalf("it has the place of a file: %s", s)
		}
	}
}

// profileStrings gives the texts of the profile: field 6 of the message that it is.
func profileStrings(t *testing.T) (all []string) {
	t.Helper()
	f, err := os.Open("../../cmd/faust/default.pgo")
	if err != nil {
		t.Fatal(err)
	}
	defer f.Close()
	z, err := gzip.NewReader(f)
	if err != nil {
		t.Fatal(err)
	}
	b, err := io.ReadAll(z)
	if err != nil {
		t.Fatal(err)
	}
	for len(b) > 0 {
		tag, n := binary.Uvarint(b)
		value, m := binary.Uvarint(b[n:])
		b = b[n+m:]
		switch tag & 7 {
		case 0: // the value is the number
		case 2: // the value is a length
			if tag>>3 == 6 {
				all = append(all, string(b[:value]))
			}
			b = b[value:]
		default:
			t.Fatalf("a field of the kind %d", tag&7)
		}
	}
	return all
}
