package table

import (
	"errors"
	"strings"
	"testing"
)

func TestRead(t *testing.T) {
	t.Parallel()
	d := &Definition{Form: "keys as text and values as JSON"}
	if kind, rest, err := d.Read(ChangelogKey(Data, []byte("NO")), nil); kind != Data || string(rest) != "NO" || err != nil {
		t.Errorf("%c %q %v", kind, rest, err)
	}
	key, value := d.FormatRecord()
	if kind, _, err := d.Read(key, value); kind != Meta || err != nil {
		t.Errorf("%c %v", kind, err)
	}
	if _, _, err := d.Read(key, []byte("2 x")); err == nil || !strings.Contains(err.Error(), `"2", this version reads 1`) {
		t.Error(err)
	}
	if _, _, err := d.Read(key, []byte("1 keys as text and values as int64")); err == nil || !strings.Contains(err.Error(), "values as int64, and the script declares keys as text and values as JSON") {
		t.Error(err)
	}
	for _, key := range []string{"", "NO", "\x00"} {
		if _, _, err := d.Read([]byte(key), nil); !errors.Is(err, ErrForeign) {
			t.Errorf("%q: %v", key, err)
		}
	}
}
