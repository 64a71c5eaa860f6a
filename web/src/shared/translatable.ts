/**
 * Lets a browser's translator and Preact work on the same page.
 *
 * A translator takes text nodes out of the page and puts its own elements in their place. Preact would go on to change
 * the nodes that it once made, which nobody sees any more. So no text is ever changed in place: an element whose text
 * becomes another one is made anew, and with it goes what the translator had put there. Elements that must last, as they
 * may have the focus or be announced when something changes in them, get a new element around their text instead.
 */

import { createElement, options, type VNode } from 'preact';

const LASTING = new Set(['a', 'button', 'dialog', 'fieldset', 'form', 'main', 'select', 'summary', 'details']);
// These can hold nothing but text, and take it from the server or from a fixed list.
const ONLY_TEXT = new Set(['option', 'textarea', 'title']);

type Props = Record<string, unknown> & { children?: unknown };

export function keepTranslatable(): void {
  const before = options.vnode;
  options.vnode = (node) => {
    if (node.type === 'option') keepValue(node as VNode<Props>);
    if (typeof node.type === 'string' && !ONLY_TEXT.has(node.type)) renewWithText(node as VNode<Props>, node.type);
    before?.(node);
  };
}

/** Preact leaves out a value that equals the option's text, and with the text a translator would change the value. */
function keepValue(node: VNode<Props>): void {
  const { value } = node.props;
  if (value !== undefined) node.ref ??= (option: Element | null) => option?.setAttribute('value', String(value));
}

function renewWithText(node: VNode<Props>, type: string): void {
  const { children } = node.props;
  const parts = Array.isArray(children) ? children : [children];
  const text = parts.filter(isText).join('\u0000');
  if (text === '') return;
  if (isLasting(type, node)) node.props.children = parts.map(asElement);
  else node.key = node.key == null ? text : `${node.key} ${text}`;
}

function isLasting(type: string, { props, ref }: VNode<Props>): boolean {
  return LASTING.has(type) || ref != null || 'role' in props || 'aria-live' in props || 'tabIndex' in props;
}

function asElement(part: unknown): unknown {
  return isText(part) ? createElement('span', null, part) : part;
}

function isText(part: unknown): part is string | number {
  return (typeof part === 'string' && part.trim() !== '') || typeof part === 'number';
}
