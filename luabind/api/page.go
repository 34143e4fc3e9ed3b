package api

var pageEntries = []Entry{
	{
		Name: "app.page", Kind: Function,
		Params: []Param{
			{Name: "path", Type: String, Text: "the path: '/orders/{id}/', with methods before it if not GET: 'POST /orders/'"},
			optional,
			last("request", "gives the body, then optionally status and headers"),
		},
		Options: []Option{
			{Name: "body", Type: codecs, Text: "What the request's body has to be; another one is answered with 400."},
			{Name: "name", Type: String, Default: "the path", Text: "Its name in logs and metrics."},
			{Name: "table", Type: "table of app.table", Text: "A table: the worker that has the key answers, whichever was asked. With key=."},
			{Name: "stale", Type: Boolean, Default: "false", Text: "A copy of the table (standby_replicas) may answer while the worker that has the key cannot. With table=."},
			{Name: "key", Type: String, Text: "Which part of the path is the key: 'id' for {id}. It has the type of the table's keys in request.params. With table=."},
		},
		Text: "Declares a page of the worker's web server.",
		More: `The function returns the body: a table, record, number or boolean is JSON, a string text, nil alone 204; then a status and a table of headers. ` +
			`With table= and key= a request goes to the worker that has the key; while nobody has it, the answer is 503, ` +
			`or with stale = true what a copy has, which may be some seconds old: request.stale tells. ` +
			`An error that nobody catches is a 500 whose text is only in the log, a timeout 504. Pages below /_/, /livez, /readyz and /metrics are faust's own.`,
		Example: `app.page('/hello/{name}/', function(request)
  return { hello = request.params.name }
end)
app.page('POST /orders/', function(request)
  return { id = request.json.id }, 201, { Location = '/orders/1/' }
end)`,
		See: []string{"request", "web", "web.error", "web.html"},
	},
	{
		Name: "request", Kind: Object,
		Text: "What the function of a page gets: the request.",
		Example: `app.page('/search/', function(request)
  return { q = request.query.q, from = request.remote_addr }
end)`,
		See: []string{"app.page"},
	},
	{Name: "request.method", Kind: Field, Type: String, Text: "GET, POST, ..."},
	{Name: "request.path", Kind: Field, Type: String, Text: "The path of the URL."},
	{Name: "request.params", Kind: Field, Type: Table, Text: "The parts of the path that the page's path names: {id} is params.id."},
	{Name: "request.query", Kind: Field, Type: Table, Text: "What stands behind the ? of the URL; of several with one name the first."},
	{Name: "request.headers", Kind: Field, Type: Table, Text: "The headers by name, whatever the case."},
	{Name: "request.cookies", Kind: Field, Type: Table, Text: "The cookies by name."},
	{Name: "request.body", Kind: Field, Type: "string, or what the page declares", Text: "The body: a string, or with body= of app.page the checked value."},
	{Name: "request.json", Kind: Field, Type: Any, Text: "The body read as JSON; what is none is answered with 400."},
	{Name: "request.form", Kind: Field, Type: Table, Text: "The fields of a form; a file that is sent along is its content."},
	{Name: "request.stale", Kind: Field, Type: Boolean, Text: "Whether what tables have may be old: a copy answers (stale= of app.page)."},
	{Name: "request.remote_addr", Kind: Field, Type: String, Text: "The address of who asks."},
}

var webEntries = []Entry{
	{
		Name: "web", Kind: Module,
		Text:    "What a page returns or raises that is neither a value nor a text.",
		Example: `app.page('/', function() return web.html '<h1>hello</h1>' end)`,
		See:     []string{"app.page"},
	},
	{
		Name: "web.html", Kind: Function,
		Params:  []Param{{Name: "text", Type: String, Text: "the text"}},
		Returns: []Return{{Type: "answer", Text: "for a page to return"}},
		Text:    "Makes an answer in HTML.",
		Example: `app.page('/', function() return web.html '<h1>hello</h1>' end)`,
		See:     []string{"app.page"},
	},
	{
		Name: "web.redirect", Kind: Function,
		Params: []Param{
			{Name: "url", Type: String, Text: "the URL"},
			{Name: "status", Type: Whole, Optional: true, Text: "the status: 301, 302, 303, 307 or 308; 302 if left out"},
		},
		Returns: []Return{{Type: "answer", Text: "for a page to return"}},
		Text:    "Makes an answer that sends the browser elsewhere.",
		Example: `app.page('/old/', function() return web.redirect('/new/', 301) end)`,
		See:     []string{"app.page"},
	},
	{
		Name: "web.file", Kind: Function,
		Params: []Param{{Name: "path", Type: String, Text: "the path"}, optional},
		Options: []Option{
			{Name: "type", Type: String, Default: "by the file's name", Text: "The content type."},
			{Name: "root", Type: String, Default: "the app's folder", Text: "The folder below which the file has to be."},
		},
		Returns: []Return{{Type: "answer", Text: "for a page to return"}},
		Text:    "Makes an answer of a file below a folder.",
		More:    `A path that is absolute or goes up with .. is not found.`,
		Example: `app.page('/static/{file}', function(request)
  return web.file(request.params.file, { root = 'static' })
end)`,
		See: []string{"app.page"},
	},
	{
		Name: "web.stream", Kind: Function,
		Params: []Param{
			{Name: "fn", Type: Func, Args: "write", Text: "sends by write(text), for as long as it likes and the client stays"},
			optional,
		},
		Options: []Option{{Name: "type", Type: String, Default: "'text/plain'", Text: "The content type."}},
		Returns: []Return{{Type: "answer", Text: "for a page to return"}},
		Text:    "Makes an answer that is sent piece by piece.",
		Example: `app.page('/ticks/', function()
  return web.stream(function(write)
    for i = 1, 3 do write(i .. '\n') end
  end)
end)`,
		See: []string{"app.page"},
	},
	{
		Name: "web.error", Kind: Function,
		Params: []Param{
			{Name: "status", Type: Whole, Text: "the status, from 400 to 599"},
			{Name: "what", Type: "string or table", Optional: true, Text: "what is said: a text, or a table as JSON; the status's name if left out"},
		},
		Text: "Raises a deliberate status, which ends the page.",
		Example: `app.page('/orders/{id}/', function(request)
  web.error(404, 'no order ' .. request.params.id)
end)`,
		See: []string{"app.page"},
	},
	{
		Name: "answer", Kind: Object,
		Text:    "What the functions of web give: an answer for a page to return.",
		Example: `app.page('/', function() return web.html '<h1>hello</h1>' end)`,
		See:     []string{"web", "app.page"},
	},
}
