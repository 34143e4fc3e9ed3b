package tests

import (
	"os"
	"path/filepath"
	"strings"
	"testing"
)

// Every example is run by a story.
func TestExamplesHaveStories(t *testing.T) {
	t.Parallel()
	files, err := filepath.Glob("testdata/*.txtar")
	if err != nil || len(files) == 0 {
		t.Fatalf("%d stories, %v", len(files), err)
	}
	var stories strings.Builder
	for _, file := range files {
		text, err := os.ReadFile(file)
		if err != nil {
			t.Fatal(err)
		}
		stories.Write(text)
		stories.WriteByte('\n')
	}
	examples, err := os.ReadDir("../examples")
	if err != nil {
		t.Fatal(err)
	}
	for _, example := range examples {
		if run := "$EXAMPLES/" + example.Name(); example.IsDir() && !strings.Contains(stories.String(), run+"/") && !strings.Contains(stories.String(), run+" ") {
			t.Errorf("no story runs %s", run)
		}
	}
}
