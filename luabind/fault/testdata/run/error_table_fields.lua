error { 1, 'two', { 3 }, print, ok = false }
