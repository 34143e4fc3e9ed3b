app.configure {
  web_port = 70000,
}
