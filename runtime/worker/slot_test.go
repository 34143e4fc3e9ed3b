package worker

import (
	"fmt"
	"os"
	"sync"
	"sync/atomic"
	"testing"
)

// Two workers never have the same slot, also if its folder is deleted, by somebody who has it, while they look for one.
func TestSlotThatIsDeleted(t *testing.T) {
	t.Parallel()
	datadir := t.TempDir()
	var has atomic.Int32
	var wg sync.WaitGroup
	for worker := range 16 {
		wg.Go(func() {
			for range 200 {
				s := &slot{name: "0", dir: datadir + "/app/0"}
				taken, err := s.take()
				if err != nil {
					t.Error(err)
					return
				}
				if taken {
					continue
				}
				if has.Add(1) > 1 {
					t.Error("two have the slot")
				}
				gone := fmt.Sprint(s.dir, ".deleted", worker)
				_ = s.keep(fmt.Sprint(worker))
				deletes := worker%2 == 0
				if has.Add(-1); deletes {
					if err := os.Rename(s.dir, gone); err != nil {
						t.Error(err)
					}
				}
				s.close()
				for tries := 0; deletes; tries++ { // one that looks for a slot may just have found the folder, and make its lock in it
					if err := os.RemoveAll(gone); err == nil {
						break
					} else if tries == 1000 {
						t.Error(err)
						return
					}
				}
			}
		})
	}
	wg.Wait()
}

// A copy of a data directory is that of another worker; one that was only moved is what it was.
func TestSlotThatIsCopied(t *testing.T) {
	t.Parallel()
	datadir := t.TempDir() + "/a"
	open := func(datadir string) *slot {
		t.Helper()
		s, err := openSlot(datadir, "app")
		if err != nil {
			t.Fatal(err)
		}
		t.Cleanup(s.close)
		return s
	}
	first := open(datadir)
	if err := first.keep("member"); err != nil {
		t.Fatal(err)
	}
	if err := os.CopyFS(datadir+"-copy", os.DirFS(datadir)); err != nil {
		t.Fatal(err)
	}
	second := open(datadir + "-copy")
	if !second.copied || second.state.UUID == first.state.UUID || second.member() != "" {
		t.Errorf("the copy is taken for the original: %+v", second.state)
	}
	first.close()
	second.close()
	if err := os.Rename(datadir, datadir+"-moved"); err != nil {
		t.Fatal(err)
	}
	if s := open(datadir + "-moved"); s.copied || s.state != first.state {
		t.Errorf("moved: %+v, before: %+v", s.state, first.state)
	}
	if s := open(datadir + "-copy"); s.copied || s.state != second.state {
		t.Errorf("the copy again: %+v, before: %+v", s.state, second.state)
	}
}
