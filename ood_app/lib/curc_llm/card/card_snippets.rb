# frozen_string_literal: true

require 'json'
require 'shellwords'

module CurcLlm
  # Ready-to-paste ways to reach a session. None holds the key: each reads it from its file, or says where it goes.
  class CardSnippets
    # @param session_id [String]
    # @param base_url [String] the endpoint, ending in /v1
    # @param model [String] served model name
    # @param key_file [String]
    # @param host [String] the node. port [Integer]
    # @param owner [String] Unix user name
    # @param login_host [String] where people log in with ssh
    # @param context_tokens [Integer, nil] the model's context
    def initialize(session_id:, base_url:, model:, key_file:, host:, port:, owner:, login_host: '', context_tokens: nil)
      @session_id, @base_url, @model, @key_file = session_id, base_url, model, key_file
      @host, @port, @owner = host, port, owner
      @login_host = login_host.empty? ? 'LOGIN_NODE' : login_host
      @context_tokens = context_tokens
    end

    # @return [Array<Array(String, String, String, String)>] name, title, what it is for, text
    def all
      [
        ['curl', 'curl', 'In a shell on the cluster.', curl],
        ['python', 'Python', 'With the openai library, on the cluster.', python],
        ['notebook', 'Notebook', 'A cell for a notebook on any node of the cluster, with a kernel that has curc-llm.', notebook],
        ['editor', 'Editor', 'Cline, Continue and others that speak to an OpenAI-compatible server.', editor],
        ['tunnel', 'Your computer', 'In a terminal of your own computer; it stays open while you work.', tunnel]
      ]
    end

    # The key reaches curl by a pipe, so that `ps` never shows it.
    def curl
      body = JSON.generate({ model: @model, messages: [{ role: 'user', content: 'Hello' }] })
      "sed 's/^/Authorization: Bearer /' #{@key_file.shellescape} |\n" \
        "  curl -sS -H @- -H 'Content-Type: application/json' #{"#{@base_url}/chat/completions".shellescape} \\\n" \
        "    -d #{quote_shell(body)}"
    end

    def python
      <<~PYTHON.chomp
        from pathlib import Path
        from openai import OpenAI
        client = OpenAI(
            base_url=#{@base_url.to_json},
            api_key=Path(#{@key_file.to_json}).read_text().strip(),
            max_retries=0,
        )
        answer = client.chat.completions.create(
            model=#{@model.to_json}, messages=[{"role": "user", "content": "Hello"}]
        )
        print(answer.choices[0].message.content)
      PYTHON
    end

    # The kernel may know nothing of this centre's settings: so the cell says where the session is.
    def notebook
      state_dir = File.dirname(File.dirname(File.dirname(@key_file)))
      <<~PYTHON.chomp
        import curc_llm
        session = curc_llm.connect(#{@session_id.to_json}, state_dir=#{state_dir.to_json})
        print(session.chat("Hello"))
      PYTHON
    end

    def editor
      <<~TEXT.chomp
        API provider:    OpenAI Compatible
        Base URL:        #{@base_url}
                         (through the tunnel: http://127.0.0.1:#{@port}/v1)
        API key:         the key above
        Model:           #{@model}#{"\nContext window:  #{@context_tokens}" if @context_tokens}
      TEXT
    end

    def tunnel
      "ssh -N -L #{@port}:#{@host.shellescape}:#{@port} -l #{@owner.shellescape} #{@login_host.shellescape}\n" \
        "# then the endpoint is http://127.0.0.1:#{@port}/v1\n" \
        "# where curc-llm is installed, it opens and watches the tunnel for you: curc-llm tunnel #{@session_id}"
    end

    private

    # JSON in single quotes reads better than with a backslash before each mark.
    def quote_shell(text)
      "'#{text.gsub("'", "'\\\\''")}'"
    end
  end
end
