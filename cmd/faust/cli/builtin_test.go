package cli

import (
	"slices"
	"testing"

	"faust/runtime/app"
)

func TestBuiltinsAreReserved(t *testing.T) {
	t.Parallel()
	s := &session{}
	names := []string{"help"}
	for _, c := range s.tree().Commands() {
		names = append(names, c.Name())
		if !slices.Contains(groups(), group(c.Annotations["group"])) {
			t.Errorf("%s is in no group of help", c.Name())
		}
	}
	known := app.BuiltinCommands()
	slices.Sort(names)
	slices.Sort(known)
	if !slices.Equal(names, known) {
		t.Errorf("the commands are %v, the app is told %v", names, known)
	}
}
