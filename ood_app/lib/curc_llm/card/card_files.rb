# frozen_string_literal: true

require 'json'

module CurcLlm
  # What the job leaves for the card, read anew for each drawing. A file that is missing, half there or broken counts as
  # not there: a card must be drawn whatever happened.
  class CardFiles
    MOST_BYTES = 4 * 1024 * 1024

    attr_reader :staged_root

    # @param staged_root [#to_s] the portal's folder of the session
    # @param session [String] the session's own folder in it
    def initialize(staged_root, session: 'session')
      @staged_root = staged_root.to_s
      @session = session
    end

    # @return [Hash] the SessionRecord; empty before the job has written one
    def record
      @record ||= read_json("#{@session}/session.json")
    end

    # @return [Hash] the LaunchSpec
    def spec
      @spec ||= read_json("#{@session}/spec.json")
    end

    # @return [Hash] what the card needs to know of the site: login_hosts, unit, support
    def site
      @site ||= read_json("#{@session}/portal.json")
    end

    # @return [String] the node as the portal's proxy is to call it: short, in full or an address; empty before it is known
    def portal_host
      File.read(File.join(staged_root, 'connection.yml'), encoding: 'UTF-8')[/^host: ["']?([A-Za-z0-9][A-Za-z0-9._-]*)["']?\s*$/, 1].to_s
    rescue SystemCallError, EncodingError, ArgumentError
      ''
    end

    # @return [String] Slurm's number of a session that wasn't launched by the portal; empty when it has none
    def job_id
      read_json("#{@session}/slurm.json")['job_id'].to_s
    end

    # @return [Hash] what went wrong before there was a session: code, message, remedy
    def trouble
      @trouble ||= read_json('trouble.json')
    end

    # @return [Hash] the planner's answer for the first model
    def plan
      origin = Array(spec['origins']).first
      origin.is_a?(Hash) && origin['plan'].is_a?(Hash) ? origin['plan'] : {}
    end

    # @return [String] empty when there is none, or when others could have read it
    def api_key
      read_secret("#{@session}/api.key")
    end

    def login_secret
      read_secret("#{@session}/login.key")
    end

    # @return [String] the session's own folder, as the job's node calls it
    def session_dir
      File.realpath(File.join(staged_root, @session))
    rescue SystemCallError
      ''
    end

    # Writes a small note of the card's own, such as how Slurm said that the job ended. A full disk is no reason to fail.
    def keep(name, value)
      path = File.join(staged_root, name)
      File.open(path, File::WRONLY | File::CREAT | File::TRUNC, 0o600) { |file| file.write(JSON.generate(value)) }
    rescue SystemCallError
      nil
    end

    def read_json(name)
      path = File.join(staged_root, name)
      return {} if File.size(path) > MOST_BYTES

      found = JSON.parse(File.read(path, encoding: 'UTF-8'))
      found.is_a?(Hash) ? found : {}
    rescue SystemCallError, JSON::ParserError, EncodingError
      {}
    end

    private

    def read_secret(name)
      path = File.join(staged_root, name)
      stat = File.stat(path)
      return '' unless stat.owned? && (stat.mode & 0o077).zero?

      File.read(path).strip
    rescue SystemCallError
      ''
    end
  end
end
