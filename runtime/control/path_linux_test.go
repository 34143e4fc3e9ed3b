package control

import (
	"os"
	"path/filepath"
	"strings"
	"testing"
)

// TestLongPath: the address of a socket has room for 107 bytes, a data directory may be anywhere.
func TestLongPath(t *testing.T) {
	t.Parallel()
	data := filepath.Join(t.TempDir(), strings.Repeat("long", 20), strings.Repeat("er", 30))
	serve(t, filepath.Join(data, "shop/0"), says("far"))
	found, err := Workers(t.Context(), data, "shop")
	if err != nil || len(found) != 1 {
		t.Fatal(found, err)
	}
	defer found[0].Close()
	if s, err := found[0].Status(t.Context()); err != nil || s.App != "far" {
		t.Error(s, err)
	}
	if info, err := os.Lstat(filepath.Join(data, "shop/0", SocketName)); err != nil || info.Mode() != os.ModeSocket|0o600 {
		t.Error(info, err)
	}
}
