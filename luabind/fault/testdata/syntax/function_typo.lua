fucntion f()
  return 1
end
