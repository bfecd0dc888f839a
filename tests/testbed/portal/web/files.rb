# frozen_string_literal: true

require 'erb'
require 'rack'

# The portal's file browser, as far as links of a card need it: a folder's list, a file's text. It runs as the user.
module Files
  def self.answer(path, base)
    place = Rack::Utils.unescape_path(path)
    return [200, { 'Content-Type' => 'text/plain; charset=utf-8' }, [File.read(place)]] if File.file?(place)

    rows = Dir.children(place).sort.map { |name| row(place, name, base) }
    html = "<!doctype html><title>Files</title><h1>#{ERB::Util.h(place)}</h1><ul>#{rows.join}</ul>"
    [200, { 'Content-Type' => 'text/html; charset=utf-8' }, [html]]
  end

  def self.row(place, name, base)
    link = "#{base}/files/fs#{Rack::Utils.escape_path(File.join(place, name))}"
    %(<li><a href="#{ERB::Util.h(link)}">#{ERB::Util.h(name)}</a></li>)
  end
  private_class_method :row
end
