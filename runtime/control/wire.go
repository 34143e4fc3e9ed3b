package control

// Prefix is what the paths of the API begin with, on the socket as on the web port.
const Prefix = "/_/api"

// Problem is the body of an answer that is an error.
type Problem struct {
	Error string `json:"error"`
	Hint  string `json:"hint,omitempty"`
}

// Opening asks for a session; Opened is the answer.
type Opening struct {
	Who string `json:"who"`
}

// Opened names a new session.
type Opened struct {
	ID string `json:"id"`
}

// Cursor is the input up to the cursor.
type Cursor struct {
	Text string `json:"text"`
}

// Chunk is one line of the answer to an input: something that was printed, or at last the result.
type Chunk struct {
	Output  string  `json:"output,omitempty"`
	Bytes   []byte  `json:"bytes,omitempty"`   // printed, and no UTF-8
	Dropped int     `json:"dropped,omitempty"` // bytes that were left out because the reader was too slow
	Result  *Result `json:"result,omitempty"`
}

// Error is what a worker answers instead of what was asked for.
type Error struct {
	Text string
	Hint string
	kind error // ErrUnknown, ErrForbidden or nil
}

func (e *Error) Error() string { return e.Text }
func (e *Error) Unwrap() error { return e.kind }
