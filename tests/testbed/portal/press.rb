# frozen_string_literal: true

# `ruby press.rb launch < VALUES.json` and `ruby press.rb delete`: what the portal does when a person presses Launch
# below the form, or Delete on each card; without Apache and browser. What goes wrong goes to standard error.
require_relative 'web/settings'
require_relative 'web/launcher'

launcher = Launcher.new(Settings.from(ENV))
case ARGV.first
when 'launch'
  trouble = launcher.launch(JSON.parse($stdin.read))
  abort(trouble.values.join("\n")) unless trouble.empty?
when 'delete'
  launcher.sessions.each { |session| launcher.delete(session.id, 'delete') }
else
  abort('usage: ruby press.rb launch|delete')
end
