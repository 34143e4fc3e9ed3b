package cli

import (
	"errors"
	"log/slog"
	"os"

	"faust/luabind"
	"faust/luabind/fault"
	"faust/runtime/app"
)

// application is a loaded script with what it takes to run it.
type application struct {
	script     *luabind.Script
	loadedWith globals
	log        *lateHandler // of the machine, until there is a logger
}

// load loads the script. Where the file is loaded only to look at it, what it prints goes to standard error.
func (s *session) load(file string, call invocation) (err error) {
	source, err := s.readOnce(file)
	if err != nil {
		return loadf("'%s': %s", file, cause(err))
	}
	s.app, err = s.application(func(cfg luabind.Config) (*luabind.Script, error) {
		if call.looks() || s.globals.help {
			cfg.LoadPrint = s.Stderr
		}
		cfg.Source = source
		return luabind.Load(file, cfg)
	})
	return err
}

// application makes a script as the flags and the environment say.
func (s *session) application(load func(cfg luabind.Config) (*luabind.Script, error)) (*application, error) {
	before, err := app.Resolve(s.layers()...)
	if err != nil {
		return nil, s.settingProblem(err)
	}
	log := &lateHandler{target: newLateTarget(newLogHandler(s.logConfig(before)))}
	script, err := load(luabind.Config{
		Stdin: s.Stdin, Stdout: s.Stdout, Stderr: s.Stderr, Log: slog.New(log),
		Layers: s.layers(),
		Asking: s.asking, Progress: s.progress,
		Lax: !before.Strict, Unsafe: s.globals.unsafe, NoPass: s.globals.noPass, Yes: s.globals.yes, Quiet: s.globals.quiet,
		UserAgent: "faust/" + Version, Secrets: s.secrets, Hidden: s.hidden,
	})
	if err != nil {
		return nil, s.loadProblem(err)
	}
	return &application{script: script, loadedWith: s.globals.clone(), log: log}, nil
}

// readOnce reads a script that comes through a pipe and can be read once only; nil: it is an ordinary file. An app is loaded again when the flags
// after its command say something else than was guessed.
func (s *session) readOnce(file string) ([]byte, error) {
	if s.piped != nil {
		return s.piped, nil
	}
	info, err := os.Stat(file)
	if err != nil || info.Mode().IsRegular() {
		return nil, nil //nolint:nilerr // what is wrong with an ordinary file is told by who reads it
	}
	text, err := os.ReadFile(file)
	if err != nil {
		return nil, err
	}
	s.piped = append([]byte{}, text...)
	s.quoted(file, string(text), 1)
	return s.piped, nil
}

// asking makes room for a question until the returned function is called.
func (s *session) asking() (answered func()) {
	var answer []func()
	if s.screen != nil {
		answer = append(answer, s.screen.ask())
	}
	answer = append(answer, s.keys.Load().ask())
	return func() {
		for _, f := range answer {
			f()
		}
	}
}

// progress is progress(done, total) of the script.
func (s *session) progress(done, total float64) {
	if p := s.command.Load(); p != nil {
		p.tell(done, total)
	}
}

func (a *application) close() { a.script.Close() }

// layers are flags, environment and --env-file, strongest first.
func (s *session) layers() app.Layers {
	return append(app.Layers{s.globals.layer()}, s.env.layers()...)
}

// checkLayers checks what flags and environment say, so that a wrong value is told before the script runs.
func (s *session) checkLayers() error {
	_, err := app.Resolve(s.layers()...)
	return s.settingProblem(err)
}

// settingProblem makes the error of a flag or variable a matter of usage.
func (s *session) settingProblem(err error) error {
	var bad *app.SettingError
	if errors.As(err, &bad) {
		return cannotBe(string(bad.Origin), bad.Value, bad.Cause)
	}
	return err
}

// loadProblem wraps what Load says; a *fault.Error keeps its identity.
func (s *session) loadProblem(err error) error {
	var lua *fault.Error
	if errors.As(err, &lua) {
		return &loadError{err: err}
	}
	return loadf("%s", cause(err))
}

// settings are those of the app, or without one those of flags and environment.
func (s *session) settings() (*app.Settings, error) {
	if s.app != nil {
		return s.app.script.App.Settings, nil
	}
	settings, err := app.Resolve(s.layers()...)
	return settings, s.settingProblem(err)
}

// logConfig is how this process logs, to standard error.
func (s *session) logConfig(settings *app.Settings) logConfig {
	return logConfig{
		w: s.Stderr, format: settings.LogFormat, levels: newLogLevels(settings.Levels()), production: s.env.production() != "",
		terminal: s.isTerminal(s.Stderr), color: s.colored(s.Stderr), render: s.renderConfig(),
	}
}

// openLogger makes the process's logger as the settings say. The caller calls the function when it is done.
func (s *session) openLogger(settings *app.Settings) (*slog.Logger, func(), error) {
	cfg, done := s.logConfig(settings), func() {}
	s.levels = cfg.levels
	if s.talks {
		cfg.w = s.above
	}
	if settings.LogFile != "" {
		f, err := openLogFile(settings.LogFile)
		if err != nil {
			return nil, nil, usagef("log file '%s': %s", settings.LogFile, cause(err))
		}
		cfg.w, cfg.terminal, cfg.color, cfg.render.Color = s.hidden.Writer(f), false, false, false
		done = func() { f.Close() }
	}
	cfg.repeats = &repeats{}
	closeFile := done
	done = func() {
		cfg.repeats.close()
		closeFile()
	}
	var handler slog.Handler = s.tap.handler(newLogHandler(cfg))
	if s.app != nil {
		s.app.log.target.use(handler)
	}
	logger := slog.New(handler)
	slog.SetDefault(logger)
	return logger, done, nil
}
