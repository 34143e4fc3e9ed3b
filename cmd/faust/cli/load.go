package cli

import (
	"errors"
	"log/slog"

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
func (s *session) load(file string, call invocation) error {
	before, err := app.Resolve(s.layers()...)
	if err != nil {
		return s.settingProblem(err)
	}
	log := &lateHandler{target: newLateTarget(newLogHandler(s.logConfig(before)))}
	cfg := luabind.Config{
		Stdin: s.Stdin, Stdout: s.Stdout, Stderr: s.Stderr, Log: slog.New(log),
		Layers: s.layers(),
		Lax:    !before.Strict, Unsafe: s.globals.unsafe, NoPass: s.globals.noPass, Yes: s.globals.yes, Quiet: s.globals.quiet,
	}
	if call.command == "" || call.command == "help" || s.globals.help {
		cfg.LoadPrint = s.Stderr
	}
	script, err := luabind.Load(file, cfg)
	if err != nil {
		return s.loadProblem(err)
	}
	s.app = &application{script: script, loadedWith: s.globals.clone(), log: log}
	return nil
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
		w: s.Stderr, format: settings.LogFormat, level: settings.LogLevel, production: s.env.production() != "",
		terminal: s.isTerminal(s.Stderr), color: s.colored(s.Stderr), render: s.renderConfig(),
	}
}

// openLogger makes the process's logger as the settings say. The caller calls the function when it is done.
func (s *session) openLogger(settings *app.Settings) (*slog.Logger, func(), error) {
	cfg, done := s.logConfig(settings), func() {}
	if settings.LogFile != "" {
		f, err := openLogFile(settings.LogFile)
		if err != nil {
			return nil, nil, usagef("log file '%s': %s", settings.LogFile, cause(err))
		}
		cfg.w, cfg.terminal, cfg.color, cfg.render.Color = f, false, false, false
		done = func() { f.Close() }
	}
	handler := newLogHandler(cfg)
	if s.app != nil {
		s.app.log.target.use(handler)
	}
	logger := slog.New(handler)
	slog.SetDefault(logger)
	return logger, done, nil
}
