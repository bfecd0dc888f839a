# frozen_string_literal: true

# The portal's side of curc-llm: all of curc_llm/*.rb. Only Ruby's standard library, Ruby 3.0 and later.
#
# One process of the portal may render two checkouts of this app (the centre's and a developer's), and lives on while
# the app is updated. So nothing here is `require`d: each checkout's files are read into a module of their own, and read
# again when one of them changes. ERB files say:
#
#   llm = Module.new.tap { |own| own.module_eval(File.read("#{root}/ood_app/lib/curc_llm.rb")) }::CurcLlm.load(root)
#   llm::Settings.load(root)
module CurcLlm
  # @param root [String] the app's folder
  # @return [Module] with Settings, Form, LaunchCheck …
  def self.load(root)
    files = Dir[File.join(root, 'ood_app', 'lib', 'curc_llm', '*.rb')].sort
    state = files.map { |file| [file, File.mtime(file).to_f] }
    kept = ($curc_llm_loaded ||= {}) # rubocop:disable Style/GlobalVars -- outlives this module, which is read each time
    kept[root] = [state, read(files)] unless kept[root]&.first == state
    kept[root].last
  end

  def self.read(files)
    own = Module.new
    files.each { |file| own.module_eval(File.read(file, encoding: 'UTF-8'), file) }
    own::CurcLlm
  end
end
